// What one call of first() and one of replace() do, step by step, for the figure "Who goes next?".
// Lines are those of the C files. What freed memory does is undefined; here it keeps a count that is one too many
// until the allocator gives it to somebody else, and to free it twice ends the process.

const LIST = "lock of list";
const shared = (locks) => ({ "list[0]": { to: "P" }, P: { refs: 1, is: "1.0" }, ...Object.fromEntries(locks.map((name) => [name, { lock: null }])) });
const outcome = (s, [reader]) => (reader.ours === "yes" ? "items intact" : "a stranger in the slot");

const find = (line) => ({ line, run: (s, own) => { own.item = { ...s["list[0]"] }; } });
const keep = (line) => ({ line, run: (s, own, me, use) => use.incref(own.item) });
const use_it = (look, drop) => [
  { line: look, run: (s, own) => {
    const item = s[own.item.to];
    own.ours = !item.freed && item.is === "1.0" ? "yes" : "no";
  } },
  { line: drop, run: (s, own, me, use) => use.decref(own.item) },
];
const reader = (steps) => ({ call: "first()", own: { item: { to: null }, ours: "–" }, steps });
const writer = (put, another, drop) => ({ call: "replace()", own: { stranger: { to: null } }, steps: [
  { line: put, section: LIST, note: "the list lets go of P", run: (s, own, me, use) => {
    const old = s["list[0]"];
    s["list[0]"] = use.make("Q", { is: "1.0" });
    use.decref(old);
  } },
  { line: another, note: "another float, in freed memory if there is any", run: (s, own, me, use) => {
    own.stranger = use.make(s.P.freed ? "P" : "S", { is: "-1.0" });
  } },
  { line: drop, run: (s, own, me, use) => {
    use.decref(own.stranger);
    own.stranger = { to: null };
  } },
] });

export default {
  variants: {
    broken: {
      shared: shared([LIST]),
      threads: [reader([find(30), keep(32), ...use_it(44, 45)]), writer([52, 53], 68, 73)],
      outcome,
    },
    broken_section: {
      shared: shared(["lock of self", LIST]),
      threads: [
        reader([{ line: 30, enter: "lock of self" }, find(31), keep(33), { line: 34, leave: true }, ...use_it(46, 47)]),
        writer([54, 55], 70, 75)],
      outcome,
    },
    fixed: {
      shared: shared([LIST]),
      threads: [
        reader([{ line: 29, run: (s, own, me, use) => {
          own.item = { ...s["list[0]"] };
          use.incref(own.item);
        } }, ...use_it(41, 42)]),
        writer([49, 50], 65, 70)],
      outcome,
    },
    fixed_section: {
      shared: shared([LIST]),
      threads: [
        reader([{ line: 28, enter: LIST }, find(29), keep(31), { line: 32, leave: true }, ...use_it(44, 45)]),
        writer([52, 53], 68, 73)],
      outcome,
    },
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A30 B52+53"the list lets go of P" A32 A44 A45 | AB crash(SIGSEGV)`,
    broken_section: `A30 A31 B54+55"the list lets go of P" A33 A34 A46 A47 | AB crash(SIGSEGV)`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
