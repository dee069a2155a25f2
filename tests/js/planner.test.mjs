// The planner's arithmetic, against what racelab.stats says (the numbers are computed there: see test_living.py).
import assert from "node:assert/strict";
import { test } from "node:test";

import { bound, chances, detection, needed, parsed } from "../../src/racelab/widgets/planner.js";

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

test("a link is read, and nonsense is refused", () => {
  assert.deepEqual(parsed("0.001,0.95,2995"), { p: 0.001, sure: 0.95, n: 2995 });
  assert.deepEqual(parsed("0.001,0.95,2995,2"), { p: 0.001, sure: 0.95, n: 2995, known: 2 });
  for (const text of ["", "1,2,3", "0.1,0.95", "a,b,c", "0.1,0.95,1e99"]) assert.throws(() => parsed(text), RangeError);
});
