// What two calls of solve() and one gc.collect() do, step by step, for the figure "Who goes next?".
// Lines are those of the C files. The objective is Python code that waits, detached; the GIL is off.

const LOCK = "library";
const outcome = (s, [a, b]) => (Math.max(a.together, b.together) === 1 ? "one at a time" : "two at once");
/** library_solve(). */
const inside = (enter, call, leave) => [
  { line: enter, run: (s, own) => {
    s.inside += 1;
    own.together = s.inside;
  } },
  { line: call, note: "the objective waits, detached", detach: true },
  { line: call, note: "the objective comes back", attach: true },
  { line: leave, run: (s) => { s.inside -= 1; } },
];
const collector = { call: "gc.collect()", steps: [
  { text: "asks the world to stop", run: (s) => { s.world = "is to stop"; } },
  { text: "the last one has paused: collects", waits: "waits for those who are attached", when: (s, own, me, use) => use.stopped(me),
    run: (s) => { s.world = "stands still"; } },
  { text: "lets the world go on", run: (s) => { s.world = "runs"; } },
] };
const variant = (steps) => ({
  shared: { [LOCK]: { lock: null }, inside: 0, world: "runs" },
  threads: [...[1, 2].map(() => ({ call: "solve()", own: { together: "–" }, steps })), collector],
  outcome,
});

export default {
  variants: {
    broken: variant([{ line: 49, lock: LOCK, native: true }, ...inside(28, 30, 31), { line: 51, unlock: LOCK }]),
    broken_critical: variant([{ line: 46, enter: LOCK }, ...inside(25, 27, 28), { line: 48, leave: true }]),
    fixed: variant([{ line: 44, lock: LOCK }, ...inside(23, 25, 26), { line: 46, unlock: LOCK }]),
    fixed_detach: variant([{ line: 44, detach: true }, { line: 45, lock: LOCK, native: true }, { line: 46, attach: true }, ...inside(23, 25, 26),
      { line: 48, unlock: LOCK }]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A49 A28 A30"the objective waits, detached" C"asks the world to stop" | ABC hang; A is paused: the world is to stop; B waits for library, attached; C waits for those who are attached`,
    broken_critical: `A46 A25 A27"the objective waits, detached" B46 B25 B27"the objective waits, detached" B27"the objective comes back" B28 B48 A27"the objective comes back" A28 A48 C"asks the world to stop" C"the last one has paused: collects" C"lets the world go on" | ABC two at once`,
  },
  // Lines of the region that are no step: why.
  unplayed: { "together = library_solve(objective);": "its own lines are" },
  // Enumerated, and never seen in a race: why.
  unobserved: {
    broken: { "one at a time": "the lab times its collection so that it comes while one waits for the lock" },
  },
};
