// What two calls of touch() do, step by step, for the figure "Who goes next?". Lines are those of the C files.

const outcome = ({ made }) => (made === 1 ? "made once" : "made more than once");
const threads = (steps) => [1, 2].map(() => ({ call: "touch()", own: { "make()": { to: null }, found: { to: null } }, steps }));
const look = (line, full) => ({ line, run: (s) => (s.slot.to === null ? {} : { goto: full }) });
const make = (line) => [
  { line, note: "makes an object", run: (s, own, me, use) => {
    s.made += 1;
    own["make()"] = use.make(`float ${s.made}`, { is: "1.0" });
  } },
  { line, note: "stores it", run: (s, own) => {
    s.slot = own["make()"];
    own["make()"] = { to: null };
  } },
];
const find = (line) => ({ line, mark: "found", run: (s, own, me, use) => {
  own.found = { ...s.slot };
  use.incref(own.found);
} });
const drop = (line) => ({ line, run: (s, own, me, use) => {
  use.decref(own.found);
  own.found = { to: null };
} });

export default {
  variants: {
    broken: {
      shared: { slot: { to: null }, made: 0 },
      threads: threads([look(40, "found"), ...make(42), find(44), drop(62)]),
      outcome,
    },
    fixed: {
      shared: { slot: { to: null }, made: 0, mutex: { lock: null } },
      threads: threads([{ line: 38, lock: "mutex" }, look(39, "found"), ...make(41), find(43), { line: 44, unlock: "mutex" }, drop(62)]),
      outcome,
    },
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A40 A42"makes an object" B40 B42"makes an object" B42"stores it" B44 B62 A42"stores it" A44 A62 | AB made more than once`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
