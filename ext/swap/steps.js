// What x.swap(y) and y.swap(x) do, step by step, for the figure "Who goes next?". Lines are those of the C files.

const cells = () => ({ x: { value: 1 }, y: { value: 2 }, "lock of x": { lock: null }, "lock of y": { lock: null } });
const threads = (steps) => [["x", "y"], ["y", "x"]].map(([a, b]) =>
  ({ call: `${a}.swap(${b})`, own: { a: { to: a }, b: { to: b }, kept: "–" }, steps }));
const outcome = ({ x, y }) => (x.value === 1 && y.value === 2 ? "both swapped"
  : x.value === y.value ? "a value is there twice" : "a swap is lost");
const of = (name) => (own) => `lock of ${own[name].to}`;
const both = (own) => [of("a")(own), of("b")(own)].sort();
const keep = (line) => ({ line, run: (s, own) => { own.kept = s[own.a.to].value; } });
const change = (first, second) => [
  { line: first, run: (s, own) => { s[own.a.to].value = s[own.b.to].value; } },
  { line: second, run: (s, own) => { s[own.b.to].value = own.kept; } },
];
const variant = (steps) => ({ shared: cells(), threads: threads(steps), outcome });

export default {
  variants: {
    broken: variant([{ line: 37, lock: of("a") }, keep(38), { line: 40, lock: of("b") }, ...change(41, 42),
      { line: 43, unlock: of("b") }, { line: 44, unlock: of("a") }]),
    broken_nested: variant([{ line: 37, enter: of("a") }, keep(38), { line: 40, enter: of("b") }, ...change(41, 42),
      { line: 43, leave: true }, { line: 44, leave: true }]),
    fixed: variant([{ line: 33, enter: both }, keep(34), ...change(36, 37), { line: 38, leave: true }]),
    fixed_order: variant([{ line: [33, 35], lock: "lock of x" }, { line: [34, 36], lock: "lock of y" }, keep(37), ...change(39, 40),
      { line: 41, unlock: "lock of y" }, { line: 42, unlock: "lock of x" }]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A37 A38 B37 B38 | AB hang; A waits for lock of y; B waits for lock of x`,
    broken_nested: `A37 A38 B37 B38 B40"finds lock of x taken, and queues" B40"goes to sleep, and gives up its sections" A40 A41 A42 A43 A44 B40 B41 B42 B43 B44"takes lock of y again" B44 | AB a value is there twice`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
