// What two calls of bump() do, step by step, for the figure "Who goes next?". Lines are those of the C files.

const outcome = ({ value }) => (value === 2 ? "all counted" : "updates lost");
const variant = (shared, steps) => ({
  shared,
  threads: [1, 2].map(() => ({ call: "bump()", own: { seen: "–" }, steps })),
  outcome,
});
const load = (line) => ({ line, run: (s, own) => { own.seen = s.value; } });
const store = (line) => ({ line, run: (s, own) => { s.value = own.seen + 1; } });
const three = () => variant({ value: 0 }, [load(29), store(31)]);

export default {
  variants: {
    broken: three(),
    broken_volatile: three(),
    broken_atomic: three(),
    fixed: {
      shared: { value: 0 },
      threads: [1, 2].map(() => ({ call: "bump()", steps: [{ line: 28, run: (s) => { s.value += 1; } }] })),
      outcome,
    },
    fixed_critical: variant({ value: 0, "lock of self": { lock: null } },
      [{ line: 27, enter: "lock of self" }, load(28), store(30), { line: 31, leave: true }]),
    fixed_mutex: variant({ value: 0, mutex: { lock: null } },
      [{ line: 28, lock: "mutex" }, load(29), store(31), { line: 32, unlock: "mutex" }]),
    fixed_pthread: variant({ value: 0, mutex: { lock: null } },
      [{ line: 28, lock: "mutex", native: true }, load(29), store(31), { line: 32, unlock: "mutex" }]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A29 B29 B31 A31 | AB updates lost`,
    broken_volatile: `A29 B29 B31 A31 | AB updates lost`,
    broken_atomic: `A29 B29 B31 A31 | AB updates lost`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
