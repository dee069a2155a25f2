// The timeline's logic: who is where, who waits for whom, windows, links.
import assert from "node:assert/strict";
import { test } from "node:test";

import { at, changes, doing, followed, next, opening, parsed, ticks, time, waits, zoomed } from "../../src/racelab/widgets/timeline.js";

const trace = (gil, threads, spans, events = []) => ({ gil, threads, spans, events, end: 100 });
const three = (nap, more = {}) => trace(false, ["collector", "bystander", "napper"], [
  [0, "detached", 0, 20, "time.sleep()"], [0, nap === "attached" ? "waiting" : "attached", 20, 80, "gc.collect()"],
  [1, "attached", 0, 22, ""], [1, "stopped", 22, 70, ""], [1, "attached", 70, 100, ""],
  [2, nap, 0, 60, "nap()"], [2, "stopped", 62, 70, ""], [2, nap, 70, 100, "nap()"]], [["gc", 0, 20, 80]]);

test("a span holds its begin and not its end", () => {
  const one = three("attached");
  assert.deepEqual(at(one, 20).map((span) => span[1]), ["waiting", "attached", "attached"]);
  assert.equal(at(one, 60)[2], undefined);
  assert.equal(doing(one, undefined, 2, 60), "between two calls");
  assert.equal(doing(one, at(one, 0)[2]), "attached, in nap()");
  assert.equal(doing(one, at(one, 0)[1]), "attached, runs Python");
});

test("who has not begun is between no calls, nor is who is done", () => {
  const one = trace(false, ["collector", "bystander"], [
    [0, "detached", 10, 20, "time.sleep()"], [0, "detached", 30, 40, "time.sleep()"], [1, "attached", 20, 30, ""], [1, "attached", 50, 60, ""]]);
  const said = (who, ...times) => times.map((t) => doing(one, at(one, t)[who], who, t));
  assert.deepEqual(said(0, 0, 25, 40, 99), ["not begun yet", "between two calls", "done", "done"]);
  assert.deepEqual(said(1, 0, 40, 60), ["not begun yet", "between two calls", "done"]);
});

test("who stays attached in C is waited for, and through the collector by who has paused", () => {
  assert.deepEqual(waits(three("attached"), 40),
    [true, "The collector wants the world to stop, and waits for the napper: attached, in nap(). The bystander stands still all the while."]);
  // Nobody waits for who runs Python: it is about to pause.
  assert.match(waits(three("attached"), 21)[1], /waits for the napper: attached, in nap\(\)\.$/);
  assert.deepEqual(waits(three("attached"), 65), [false, "The bystander and the napper stand still, and the collector works or waits."]);
  assert.deepEqual(waits(three("attached"), 90), [false, "Nobody waits."]);
  // What its row says of the collector and what the sentence says agree, and a pause without a collection has another reason.
  const busy = three("detached");
  busy.spans.push([1, "stopped", 100, 190, ""]);
  assert.deepEqual(waits(busy, 150), [false, "The bystander stands still, but nobody collects now: a collection is near, or the machine busy."]);
  // Without a bystander, it is the collector's own state that says so.
  const alone = trace(false, ["gc", "B"], [[0, "waiting", 0, 50, "gc.collect()"], [1, "attached", 0, 40, "nap()"]], [["gc", 0, 0, 50]]);
  assert.match(waits(alone, 10)[1], /^The gc wants the world to stop, and waits for B: attached, in nap\(\)\.$/);
});

test("who is detached is not", () => {
  assert.deepEqual(waits(three("detached"), 40),
    [false, "The bystander stands still, and the collector works. The napper is detached, and needs no stopping."]);
  assert.deepEqual(waits(three("detached"), 21), [false, "The collector works; nobody stands still for it."]);
});

test("several are listed as people list them", () => {
  const all = trace(true, ["A", "B", "C"], [0, 1, 2].map((who) => [who, "waiting", 0, 50, ""]));
  assert.deepEqual(waits(all, 5), [true, "A, B and C wait for the GIL. It is changing hands."]);
});

test("with the GIL on everybody waits for it, and somebody has it", () => {
  const gil = trace(true, ["collector", "bystander", "A: in C"], [[0, "waiting", 0, 50, ""], [1, "waiting", 10, 50, ""], [2, "attached", 0, 40, "nap()"]]);
  assert.equal(doing(gil, at(gil, 20)[0]), "waiting for the GIL");
  assert.deepEqual(waits(gil, 5), [true, "The collector waits for the GIL. A: in C has it, in nap()."]);
  assert.deepEqual(waits(gil, 20), [true, "The collector and the bystander wait for the GIL. A: in C has it, in nap()."]);
  assert.deepEqual(waits(gil, 45)[1], "The collector and the bystander wait for the GIL. It is changing hands.");
  assert.deepEqual(waits(gil, 60), [false, "Nobody waits."]);
  const over = trace(true, ["A", "B", "C"], [[0, "attached", 0, 50, ""], [1, "attached", 49, 90, ""], [2, "waiting", 0, 90, ""]]);
  assert.match(waits(over, 49)[1], /B has it/, "the last one that got it");
});

test("changes are gone through, and a reader begins where somebody waits", () => {
  const one = three("attached");
  assert.deepEqual(changes(one), [0, 20, 22, 60, 62, 70, 80, 100]);
  assert.deepEqual([next(one, 20, true), next(one, 20, false), next(one, 100, true), next(one, 0, false)], [22, 0, 100, 0]);
  assert.equal(opening(one), 50);
  const long = three("detached");
  assert.equal(opening(long), 46);
  long.spans.push([1, "stopped", 100, 190, ""]); // longer, in no event
  assert.equal(opening(long), 46);
  assert.equal(opening(trace(false, ["A"], [[0, "attached", 0, 100, ""]])), 50);
});

test("a window keeps what is at the cursor, and stays in the trace", () => {
  assert.deepEqual(zoomed([0, 8000], 4000, 2000, 8000), [1000, 5000]);
  assert.deepEqual(zoomed([0, 8000], 4000, 8000, 8000), [4000, 8000]);
  assert.deepEqual(zoomed([4000, 8000], 6000, 4000, 8000), [2000, 8000]);
  assert.deepEqual(zoomed([1000, 5000], 1e9, 2000, 8000), [0, 8000]);
  assert.deepEqual(zoomed([1000, 5000], 1, 1000, 8000), [1000, 1500]);
  assert.deepEqual(followed([1000, 2000], 1500, 8000), [1000, 2000]);
  assert.deepEqual(followed([1000, 2000], 3000, 8000), [2200, 3200]);
  assert.deepEqual(followed([1000, 2000], 7990, 8000), [7000, 8000]);
  assert.deepEqual(followed([1000, 2000], 0, 8000), [0, 1000]);
});

test("an axis has round numbers, and times read well", () => {
  assert.deepEqual(ticks(0, 619000, 640), [0, 100000, 200000, 300000, 400000, 500000, 600000]);
  assert.deepEqual(ticks(1300, 1800, 300), [1300, 1400, 1500, 1600, 1700, 1800]);
  assert.deepEqual([time(250), time(1820), time(50100), time(253400)], ["250\u00a0µs", "1.82\u00a0ms", "50.1\u00a0ms", "253\u00a0ms"]);
});

test("a link is read, and nonsense is refused", () => {
  const read = (text) => parsed(text, ["GIL on", "v1.5"], 8000);
  assert.deepEqual(read("GIL on.100.0.8000"), { name: "GIL on", t: 100, window: [0, 8000] });
  assert.deepEqual(read("v1.5.100.0.8000").name, "v1.5");
  for (const text of ["", "GIL on", "GIL on.1.2", "other.100.0.8000", "GIL on.9.10.8000", "GIL on.100.0.9000", "GIL on.100.99.101"]) {
    assert.throws(() => read(text), RangeError, text);
  }
});
