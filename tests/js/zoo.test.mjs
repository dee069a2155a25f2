// The bug zoo: what an answer is called, who missed how many, where the arrow keys lead, what a link says.
import assert from "node:assert/strict";
import { test } from "node:test";

import { called, moved, parsed, summary, tally, verdict, words } from "../../src/racelab/widgets/zoo.js";

const FOUND = [1, 1.7, "data race"];
const MISSED = [0, 2.04, ""];
const bugs = [[FOUND, MISSED], [FOUND, null], [MISSED, MISSED]].map((seen) => ({ seen }));
const tools = [["tsan", "TSan", "a report"], ["debug", "debug build", "a word"]];

test("found, not found and not asked are three things", () => {
  assert.deepEqual([FOUND, MISSED, null].map(verdict), ["found", "missed", "unasked"]);
  assert.deepEqual([FOUND, MISSED, null].map(words), ["found after 1.7\u00a0s", "not found in 2\u00a0s", "not asked"]);
});

test("a bug is called by its lab, and by how it is broken", () => {
  assert.equal(called({ lab: "swap", variant: "broken" }), "swap");
  assert.equal(called({ lab: "dict_walk", variant: "broken_calls_python" }), "dict_walk calls python");
});

test("each tool's answers are counted, and said", () => {
  assert.deepEqual(tally(bugs, 0), { found: 2, missed: 1, unasked: 0 });
  assert.deepEqual(tally(bugs, 1), { found: 0, missed: 2, unasked: 1 });
  assert.match(summary({ tools }, bugs, 0), /^TSan found 2 of 3 \(.*\), and not 1 \(✗\)\. What counts as found: a report\.$/);
  assert.match(summary({ tools }, bugs, 1), /could not be asked about 1/);
  const start = (...some) => summary({ tools }, some.map((answer) => ({ seen: [answer] })), 0).split(" What")[0];
  assert.equal(start(FOUND, FOUND), "TSan found all 2 (✓, after so many seconds).");
  assert.equal(start(FOUND, null), "TSan found 1 of 2 (✓, after so many seconds); it could not be asked about 1 (–).");
  assert.equal(start(MISSED, null), "TSan found 0 of 2 (✓, after so many seconds), and not 1 (✗); it could not be asked about 1 (–).");
  assert.match(summary({ tools }, bugs, -1), /^Of 3 bugs, TSan found 2, debug build found 0\. 1 nobody found\. .*D debug build/);
  assert.match(summary({ tools }, bugs.slice(0, 2), -1), /Each was found by somebody/);
});

test("arrow keys lead along a kind and from one to the next, and stop at the ends", () => {
  const rows = [["a", "b", "c"], ["d"], ["e", "f"]];
  const way = (from, ...keys) => keys.reduce((at, key) => moved(rows, at, `Arrow${key}`), from);
  assert.equal(way("a", "Right", "Right", "Right"), "d");
  assert.equal(way("d", "Left"), "c");
  assert.equal(way("a", "Left"), "a");
  assert.equal(way("f", "Right", "Down"), "f");
  assert.equal(way("c", "Down"), "d");
  assert.equal(way("c", "Down", "Down", "Up", "Up"), "a");
  assert.deepEqual([moved(rows, "d", "Home"), moved(rows, "d", "End")], ["a", "f"]);
});

test("a link is read, and nonsense is refused", () => {
  const read = (text) => parsed(text, ["tsan", "asan"], ["lost"]);
  assert.deepEqual(read("asan.lost"), { tool: "asan", kind: "lost" });
  assert.deepEqual(read("all.all"), { tool: "", kind: "" });
  for (const text of ["", "asan", "nobody.lost", "asan.found", "asan.lost.more"]) assert.throws(() => read(text), RangeError, text);
});
