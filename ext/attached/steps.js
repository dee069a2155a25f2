// A collection beside a thread in C and a thread in Python, step by step, for the figure "Who goes next?".
// Lines are those of the C files; the GIL is off.

const collector = { call: "gc.collect()", own: {}, steps: [
  { text: "asks the world to stop", run: (s) => {
    s.world = "is to stop";
    s["held up"] = s.nap === "under way" && s.napper === "attached" ? "yes" : "no";
  } },
  { text: "the last one has paused: collects", waits: "waits for those who are attached", when: (s, own, me, use) => use.stopped(me),
    run: (s) => { s.world = "stands still"; } },
  { text: "lets the world go on", run: (s) => { s.world = "runs"; } },
] };
const bystander = { call: "Python", steps: ["a bytecode", "the next bytecode"].map((text) => ({ text, safe: true })) };
const napper = (steps) => ({ call: "nap(50)", steps: [...steps, { text: "back in Python: the next bytecode", safe: true }] });
const sleeps = (line) => [
  { line, note: "falls asleep", run: (s) => { s.nap = "under way"; } },
  { line, note: "wakes up", run: (s) => { s.nap = "over"; } },
];
const variant = (steps) => ({
  shared: { world: "runs", nap: "to come", napper: "attached", "held up": "–" },
  threads: [napper(steps), bystander, collector],
  outcome: (s) => (s["held up"] === "yes" ? "the world waited for the nap" : "nobody waited for the nap"),
});

export default {
  // There is no lab to name them: label -> [broken?, why].
  outcomes: {
    "nobody waited for the nap": [false, "the collection came when nobody slept attached"],
    "the world waited for the nap": [true, "the collection, and whoever had paused for it, stood still until somebody woke up"],
  },
  variants: {
    broken: variant(sleeps(44)),
    fixed: variant([{ line: 43, detach: true, run: (s) => { s.napper = "detached"; } }, ...sleeps(44),
      { line: 45, attach: true, run: (s) => { s.napper = "attached"; } }]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A44"falls asleep" B"a bytecode" B"the next bytecode" C"asks the world to stop" A44"wakes up" C"the last one has paused: collects" C"lets the world go on" A"back in Python: the next bytecode" | ABC the world waited for the nap`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
