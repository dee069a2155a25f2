// The planner's arithmetic, against what racelab.stats says (the numbers are computed there: see test_living.py).
import assert from "node:assert/strict";
import { test } from "node:test";

import { below, bound, chances, decade, detection, duration, needed, parsed } from "../../src/racelab/widgets/planner.js";

const expected = JSON.parse(process.env.RACELAB_EXPECTED);
const near = (a, b) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.abs(b), `${a} is not ${b}`);

test("it plans, detects and bounds as racelab does", () => {
  assert.ok(expected.length > 10);
  for (const { p, sure, n, plan, detected, below } of expected) {
    assert.equal(needed(p, sure), plan);
    near(detection(p, n), detected);
    near(bound(n, sure), below);
  }
});

test("no chance is a promise", () => {
  assert.deepEqual([0.95, 0.9999, 1, 0].map(chances), ["95\u00a0%", "99.99\u00a0%", "over 99.99\u00a0%", "under 0.01\u00a0%"]);
});

test("a chance has four digits at most, as the slider beside it", () => {
  assert.deepEqual([0.999902, 1 - 0.999902, 0.99123, 0.0012, 0.5123].map(chances),
    ["99.99", "0.01", "99.12", "0.12", "51"].map((shown) => `${shown}\u00a0%`));
});

test("what no failure says has the confidence that was chosen", () => {
  assert.equal(below(100, 0.95), "the rate is below 3\u00a0% (95\u00a0% sure)");
  assert.equal(below(100, 0.9999), "the rate is below 8.8\u00a0% (99.99\u00a0% sure)");
  assert.match(below(100, 0), /^nothing/);
});

test("times and powers of ten read well", () => {
  assert.deepEqual([90, 3600 * 5, 1.5, 0.9999, 0.0044, 0.00061, 1e-9].map(duration),
    ["90 s", "5 h", "1.5 s", "1 s", "4.4 ms", "610 µs", "under 1 µs"]);
  assert.deepEqual([1, 1000, 1e6].map(decade), ["1", "1,000", "10⁶"]);
});

test("a link is read, and nonsense is refused", () => {
  const presets = [{ name: "rare" }, { name: "a, b" }];
  const read = (text) => parsed(text, presets);
  assert.deepEqual(read("0.001,0.95,2995"), { p: 0.001, level: 0.95, n: 2995 });
  assert.deepEqual(read("0.001,0.95,2995,a, b"), { p: 0.001, level: 0.95, n: 2995, known: 1 });
  // A rate that is recorded no more, or stands elsewhere now, is no other one.
  assert.deepEqual(read("0.001,0.95,2995,0"), { p: 0.001, level: 0.95, n: 2995 });
  for (const text of ["", "1,2,3", "0.1,0.95", "a,b,c", "0.1,0.95,1e99"]) assert.throws(() => read(text), RangeError);
});
