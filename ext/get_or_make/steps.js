// What two calls of get() do, step by step, for the figure "Who goes next?". Lines are those of the C files.

const DICT = "lock of dict";
const SELF = "lock of self";
const WHEEL = "dict[\"wheel\"]";
const outcome = (s, owns) => (owns[0].part.to === owns[1].part.to ? "one part" : "two parts for one name");
const variant = (locks, steps, own = {}) => ({
  shared: { [WHEEL]: { to: null }, made: 0, ...Object.fromEntries(locks.map((name) => [name, { lock: null }])) },
  threads: [1, 2].map(() => ({ call: "get()", own: { ...own, part: { to: null } }, steps })),
  outcome,
});
const ask = (line, there) => ({ line, run: (s, own, me, use) => {
  own.part = { ...s[WHEEL] };
  use.incref(own.part);
  return own.part.to === null ? {} : there;
} });
const make = (line, name = "part") => ({ line, run: (s, own, me, use) => {
  s.made += 1;
  own[name] = use.make(`part ${s.made}`, { is: `number ${s.made}` });
} });
const store = (line) => ({ line, section: DICT, run: (s, own, me, use) => {
  const old = s[WHEEL];
  s[WHEEL] = { ...own.part };
  use.incref(own.part);
  if (old.to !== null) use.decref(old);
} });

export default {
  variants: {
    broken: variant([DICT], [ask(37, { end: true }), make(39), store(40)]),
    broken_section: variant([DICT],
      [{ line: 37, enter: DICT }, ask(38, { goto: "leave" }), make(40), store(41), { line: 45, leave: true, mark: "leave" }]),
    fixed: variant([DICT], [ask(35, { end: true }), make(37, "mine"),
      { line: 39, section: DICT, note: "stores it, unless there is one", run: (s, own, me, use) => {
        if (s[WHEEL].to === null) {
          s[WHEEL] = { ...own.mine };
          use.incref(own.mine);
        }
        own.part = { ...s[WHEEL] };
        use.incref(own.part);
      } },
      { line: 40, run: (s, own, me, use) => {
        use.decref(own.mine);
        own.mine = { to: null };
      } }], { mine: { to: null } }),
    fixed_section: variant([SELF, DICT],
      [{ line: 37, enter: SELF }, ask(38, { goto: "leave" }), make(40), store(41), { line: 45, leave: true, mark: "leave" }]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A37 A39 B37 B39 B40 A40 | AB two parts for one name`,
    broken_section: `A37 A38 A40 A41"finds lock of dict taken, and queues" A41"goes to sleep, and gives up its sections" B37 B38 B40 B41"finds lock of dict taken, and queues" B41"goes to sleep, and gives up its sections" B41 B45"takes lock of dict again" B45 A41 A45"takes lock of dict again" A45 | AB two parts for one name`,
  },
  // Lines of the region that are no step: why.
  unplayed: { "Py_CLEAR(part);": "only after an error", "if (mine != NULL) {": "false only after an error" },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
