// What one call of put() and one of agree() do, step by step, for the figure "Who goes next?".
// Lines are those of the C files. The old page's __del__ detaches for a moment, as lab.py says.

const SELF = "lock of self";
const SIZE = { old: 3, new: 13 };
const shared = () => ({ page: { to: "old" }, size: SIZE.old, [SELF]: { lock: null },
  old: { refs: 1, is: `${SIZE.old} bytes` }, new: { refs: 1, is: `${SIZE.new} bytes` } });
const outcome = (s, [, reader]) => (reader.agree === "yes" ? "page and size agree" : "new page, old size");
const reader = (enter, look, leave) => ({ call: "agree()", own: { agree: "–" }, steps: [
  { line: enter, enter: SELF },
  { line: look, run: (s, own) => { own.agree = SIZE[s.page.to] === s.size ? "yes" : "no"; } },
  { line: leave, leave: true },
] });
const writer = (own, steps) => ({ call: "put(new)", own: { page: { to: "new" }, ...own }, steps });
const put = (s, use) => {
  s.page = { to: "new" };
  use.incref(s.page);
};
const size = (line) => ({ line, run: (s) => { s.size = SIZE.new; } });
/** The old page goes: its __del__ detaches for a moment. */
const goodbye = (line, before) => [
  { line, note: before.note, run: (s, own, me, use) => before.run(s, own, use) },
  { line, note: "__del__ detaches", detach: true },
  { line, note: "__del__ is over", attach: true },
];
const keep_old = (line) => ({ line, run: (s, own, me, use) => {
  own.old = { ...s.page };
  put(s, use);
} });
const drop_old = (line) => goodbye(line, { note: "the last reference: __del__ runs", run: (s, own, use) => {
  use.decref(own.old);
  own.old = { to: null };
} });

export default {
  variants: {
    broken: {
      shared: shared(),
      threads: [
        writer({}, [{ line: 32, enter: SELF }, ...goodbye(34, { note: "stores the new page, drops the old one", run: (s, own, use) => {
          const old = s.page;
          put(s, use);
          use.decref(old);
        } }), size(35), { line: 36, leave: true }]),
        reader(46, 47, 48)],
      outcome,
    },
    broken_allow: {
      shared: shared(),
      threads: [
        writer({ old: { to: null } }, [{ line: 31, enter: SELF }, keep_old([32, 33]), { line: 34, detach: true }, { line: 36, attach: true },
          size(37), { line: 38, leave: true }, ...drop_old(39)]),
        reader(49, 50, 51)],
      outcome,
    },
    fixed: {
      shared: shared(),
      threads: [
        writer({ old: { to: null } }, [{ line: 28, enter: SELF }, keep_old([29, 30]), size(32), { line: 33, leave: true }, ...drop_old(34)]),
        reader(44, 45, 46)],
      outcome,
    },
  },
  // For paper: the shortest schedule that fails, all threads, and how it ends.
  failing: {
    broken: `A32 A34"stores the new page, drops the old one" A34"__del__ detaches" B46 B47 B48 A34"__del__ is over" A35 A36 | AB new page, old size`,
    broken_allow: `A31 A32+33 A34 B49 B50 B51 A36 A37 A38 A39"the last reference: __del__ runs" A39"__del__ detaches" A39"__del__ is over" | AB new page, old size`,
  },
  // Enumerated, and never seen in a race: why.
  unobserved: {},
};
