// The offset scan: its axis, its windows, and what is said of a way to release.
import assert from "node:assert/strict";
import { test } from "node:test";

import { apart, columns, inside, judged, later, marks, nearest, parsed, rated, reaching, release, rounded, seen, stretched, windows } from "../../src/racelab/widgets/scan.js";

const SPACE = "\u00a0";
const points = [[-2000, 4], [-50, 480], [0, 700], [50, 530], [2000, 3]].map(([ns, hits]) => [ns, hits, 1000, hits / 1000, 0, 1]);

test("the axis goes to both ends, keeps the order, and comes back", () => {
  const x = stretched(1e6, 16, 10, 310);
  assert.deepEqual([-1e6, 0, 1e6].map((ns) => Math.round(x(ns))), [10, 160, 310]);
  const offsets = [-1e5, -300, -5, 0, 1, 5, 16, 1000, 1e5];
  assert.deepEqual([...offsets].sort((a, b) => x(a) - x(b)), offsets);
  for (const ns of offsets) assert.ok(Math.abs(x.back(x(ns)) - ns) <= 1e-6 * Math.abs(ns) + 1e-9);
});

test("near the middle it is even, far out each power of ten takes the same room", () => {
  const x = stretched(1e6, 16, 0, 1000);
  assert.ok(Math.abs((x(2) - x(1)) / (x(1) - x(0)) - 1) < 0.01);
  assert.ok(Math.abs((x(1e6) - x(1e5)) / (x(1e5) - x(1e4)) - 1) < 0.01);
});

test("windows overlap exactly inside the band, also where the band is not in the middle", () => {
  for (const band of [[-60, 70], [-10, 190], [40, 100]]) {
    const [low, high] = band;
    for (const ns of [low + 1, (low + high) / 2, high - 1]) assert.ok(windows(ns, band).both, `${ns} in ${band}`);
    for (const ns of [low, high, low - 1, high + 1, 1e5, -1e5]) assert.equal(windows(ns, band).both, null, `${ns} in ${band}`);
    const { A, B } = windows((low + high) / 2, band);
    assert.deepEqual(A, B);
  }
  assert.deepEqual(windows(40, [-60, 60]).both, [40, 60]);
  assert.deepEqual(windows(-40, [-60, 60]).both, [0, 20]);
});

test("the rate is that of a measured point; none is made up outside the scan", () => {
  assert.deepEqual(nearest(points, 30).point.slice(0, 2), [50, 530]);
  assert.equal(nearest(points, -2000).scanned, true);
  const { point, scanned } = nearest(points, 22_000);
  assert.deepEqual([point[0], scanned], [2000, false]);
});

test("of a way whose twentieths are known, twentieths are said; of others the share, and of none its bound", () => {
  assert.equal(inside({ n: null, inside: 0 }), "fewer than 1 in 20 releases");
  assert.equal(inside({ n: null, inside: 0.525 }), "about 11 in 20 releases");
  assert.equal(inside({ n: null, inside: 0.95 }), "at least 19 in 20 releases");
  assert.equal(inside({ n: null, inside: 0.01 }), "about 1 in 20 releases");
  assert.equal(inside({ n: 100, inside: 0 }), `0 of 100 releases (the rate is below 3${SPACE}%, 95 % sure)`);
  assert.equal(inside({ n: 200, inside: 0.5 }), `50${SPACE}% of 200 releases`);
});

test("columns hold all releases, half on each side", () => {
  const held = (bins) => Object.fromEntries([...columns(bins, (ns) => ns, 30, 10)]);
  assert.deepEqual(held([[0, 10, 30], [20, 30, 10]]), { "-3": 5, "-1": 15, 0: 15, 2: 5 });
  assert.deepEqual(held([[5, 15, 10]]), { "-2": 2.5, "-1": 2.5, 0: 2.5, 1: 2.5 });
  assert.equal(Object.values(held([[1, 2, 4], [25, 99, 4], [30, 99, 4]])).reduce((a, b) => a + b), 8);
});

test("a column with next to nothing in it is not drawn: a row of them looks like an axis", () => {
  const held = columns([[0, 10, 9990], [10, 20, 2], [20, 30, 20]], (ns) => ns, 30, 10);
  assert.deepEqual(seen(held, 10012), [[-1, 4995], [0, 4995]]);
  assert.deepEqual(seen(columns([[0, 10, 5], [20, 30, 1]], (ns) => ns, 30, 10), 6).length, 4, "of few releases each is drawn");
});

test("each twentieth is shown once before one comes again, on both sides", () => {
  const cuts = Array.from({ length: 19 }, (_, i) => 10 * (i + 1));
  const shown = cuts.map((_, k) => release(cuts, k));
  assert.deepEqual(shown.map(Math.abs).sort((a, b) => a - b), cuts);
  assert.ok(shown.some((ns) => ns < 0) && shown.some((ns) => ns > 0));
});

test("the axis holds everything and its marks stand apart", () => {
  const ways = [{ cuts: [10, 20], before: { cuts: [5, 7e6] } }, { cuts: [10, 900], before: null }];
  const reach = reaching({ points, ways });
  assert.ok(reach > 7e6);
  for (const width of [290, 500, 900]) {
    const at = marks(reach, width);
    assert.ok(at.length >= 3 && at.includes(0) && at.every((ns) => at.includes(-ns)));
    const x = stretched(reach, 16, 16, width - 16);
    at.slice(1).forEach((ns, i) => assert.ok(x(ns) - x(at[i]) > (ns && at[i] ? 52 : 32), `${width} px: ${at}`));
  }
});

test("times, offsets and rates in words", () => {
  assert.deepEqual([0, 49.6, -1234, 22_400, 3e6].map(apart), ["0 ns", "50 ns", "1.23 µs", "22.4 µs", "3 ms"]);
  assert.deepEqual([-50, 0, 50].map(later), ["50 ns earlier", "with B", "50 ns later"]);
  assert.deepEqual([0.4, 47.2, -318, 22_424].map(rounded), [0, 47, -320, 22_000]);
  assert.deepEqual([0.53049, 0.00018, 0].map(rated), [`53.0${SPACE}%`, `0.018${SPACE}%`, `0${SPACE}%`]);
});

test("what is said of the windows does not gainsay the scan", () => {
  assert.equal(judged([0, 1], 0, 5, "all is lost"), "✗ The windows overlap: all is lost.");
  assert.match(judged(null, 0.5, 5, ""), /^≈ .* close by, rounds failed in the scan\.$/);
  assert.equal(judged(null, 0.5, 0, ""), "✓ The windows do not meet: one is over before the other begins.");
  assert.match(judged(null, 3, 5, ""), /^✓ .*, and 3 more would fit between them\.$/);
});

test("a link is checked before it is followed, and names its way", () => {
  const state = { ways: [{ name: "a", cuts: [1, 2] }, { name: "of_2", cuts: [1, 2] }] };
  assert.deepEqual(parsed("-50_0_of_2", state, 1e6), { offset: -50, way: 1, shown: 0 });
  assert.deepEqual(parsed("-50_2_a", state, 1e6), { offset: -50, way: 0, shown: 2 });
  for (const bad of ["", "50", "50_0_1", "50_1", "2000000_0_a", "x_0_a", "50_3_a", "50_0_b"]) assert.throws(() => parsed(bad, state, 1e6), RangeError);
});
