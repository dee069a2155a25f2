// What two calls of check() do, step by step, for the figure "Who goes next?". Lines are those of the C files.
// Everybody sees stores in the order in which they are written here; processors and compilers promise less.

const outcome = (s, owns) => (owns.every(({ crc }) => crc === "right") ? "right checksums" : "a wrong checksum");
const variant = (steps) => ({
  shared: { rows: { to: null }, making: { lock: null }, room: { holds: "zeros" } },
  threads: [1, 2].map(() => ({ call: "check()", own: { found: { to: null }, crc: "–" }, steps })),
  outcome,
});
const look = (line, done) => ({ line, run: (s, own) => {
  own.found = { ...s.rows };
  return own.found.to === null ? {} : { goto: done };
} });
const fill = (line) => [
  { line, note: "the first rows", run: (s) => { s.room.holds = "half full"; } },
  { line, note: "the other rows", run: (s) => { s.room.holds = "full"; } },
];
const compute = (line) => ({ line, mark: "compute", run: (s, own) => { own.crc = s.room.holds === "full" ? "right" : "wrong"; } });
const show = (line) => ({ line, run: (s) => { s.rows = { to: "room" }; } });

export default {
  variants: {
    broken: variant([look([49, 50], "compute"), { line: 51, lock: "making" },
      { line: 52, run: (s) => (s.rows.to === null ? {} : { goto: "made" }) }, show(53), ...fill(55),
      { line: 57, mark: "made", run: (s, own) => { own.found = { ...s.rows }; } }, { line: 58, unlock: "making" }, compute(72)]),
    fixed: variant([look([46, 47], "compute"), { line: 48, lock: "making" }, look([49, 50], "made"), ...fill(51), show([53, 54]),
      { line: 56, mark: "made", run: (s, own) => { own.found = { to: "room" }; } }, { line: 57, unlock: "making" }, compute(71)]),
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A49+50 A51 A52 A53 A55"the first rows" B49+50 B72 A55"the other rows" A57 A58 A72 | AB a wrong checksum`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
