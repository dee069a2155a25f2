// Numbers in words.
import assert from "node:assert/strict";
import { test } from "node:test";

import { count, decades, percent, scale, significant } from "../../src/racelab/widgets/base.js";

test("counts and shares read well", () => {
  assert.equal(count(1234), "1,234");
  assert.equal(count(2_500_000), "2.5 million");
  assert.equal(percent(0.05), "5\u00a0%");
  assert.equal(percent(0.0000123), "0.0012\u00a0%");
  assert.equal(percent(0.9999), "99.99\u00a0%");
  assert.equal(percent(1), "100\u00a0%");
  assert.match(percent(1 - 1e-17 * 10), /99|almost/);
  assert.equal(significant(0.00034), "0.00034");
});

test("axes have few ticks, and a scale has an inverse", () => {
  assert.deepEqual(decades(1, 1e8, 5), [1, 100, 1e4, 1e6, 1e8]);
  const x = scale(1, 1000, 10, 310, true);
  assert.ok(Math.abs(x(10) - 110) < 1e-9);
  assert.ok(Math.abs(x.back(210) - 100) < 1e-9);
});

const url = new URL("../../src/racelab/widgets/base.js", import.meta.url).href;

test("ids differ between copies of the module: each widget of a notebook has its own", async () => {
  const copies = await Promise.all(["a", "b", "c"].map((copy) => import(`${url}?${copy}`)));
  assert.notEqual(copies[0].unique, copies[1].unique);
  const ids = copies.flatMap(({ unique }) => [unique("choice"), unique("choice")]);
  assert.equal(new Set(ids).size, ids.length);
});
