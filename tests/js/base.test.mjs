// What all figures share, as far as it needs no page.
import assert from "node:assert/strict";
import { test } from "node:test";

const url = new URL("../../src/racelab/widgets/base.js", import.meta.url).href;

test("ids differ between copies of the module: each widget of a notebook has its own", async () => {
  const copies = await Promise.all(["a", "b", "c"].map((copy) => import(`${url}?${copy}`)));
  assert.notEqual(copies[0].unique, copies[1].unique);
  const ids = copies.flatMap(({ unique }) => [unique("choice"), unique("choice")]);
  assert.equal(new Set(ids).size, ids.length);
});
