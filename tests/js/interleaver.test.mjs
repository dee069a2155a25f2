// The interleaver's machine: locks, sections, a world that stops, undefined behaviour, and all orders of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, ending, enumerate, memory, parsed, play, start, turn, written } from "../../src/racelab/widgets/interleaver.js";

const two = (steps, shared = {}, outcome = () => "done") => ({ shared, threads: [1, 2].map(() => ({ call: "f()", steps })), outcome });
const counts = (variant) => Object.fromEntries([...enumerate(variant).outcomes].map(([label, { n }]) => [label, Number(n)]));
const nothing = { text: "nothing" };
const lost = two([{ line: 1, run: (s, own) => { own.seen = s.n; } }, { line: 2, run: (s, own) => { s.n = own.seen + 1; } }],
  { n: 0 }, ({ n }) => (n === 2 ? "both" : "lost"));

test("all schedules are counted, each once", () => {
  assert.deepEqual(counts(lost), { both: 2, lost: 4 });
  // 2n steps, n of each: (2n)! / n!^2, also where a double is too small for it.
  assert.equal(enumerate(two(Array(40).fill(nothing))).total, 107507208733336176461620n);
});

test("the schedule that is shown is short and changes threads seldom", () => {
  const { shortest } = enumerate(lost).outcomes.get("lost");
  assert.equal(shortest, "ABBA");
  assert.equal(ending(lost, play(lost, shortest).at(-1)), "lost");
});

test("a step changes the new state and leaves the old one alone", () => {
  const before = start(lost);
  const after = advance(lost, advance(lost, before, 0), 0);
  assert.equal(before.s.n, 0);
  assert.equal(after.s.n, 1);
  assert.deepEqual(memory(after), [["", "n", "1"], ["A's ", "seen", "0"]]);
});

test("a mutex lets one thread in, and two in two orders are a hang", () => {
  const locked = two([{ lock: "m" }, nothing, { unlock: "m" }], { m: { lock: null } });
  assert.deepEqual(counts(locked), { done: 2 });
  assert.equal(turn(locked, play(locked, "A").at(-1), 1).blocked, "waits for m");
  const native = two([{ lock: "m", native: true }, nothing, { unlock: "m" }], { m: { lock: null } });
  assert.equal(turn(native, play(native, "A").at(-1), 1).blocked, "waits for m, attached");
  const order = (a, b) => ({ call: "f()", steps: [{ lock: a }, { lock: b }, { unlock: b }, { unlock: a }] });
  const both = { shared: { x: { lock: null }, y: { lock: null } }, threads: [order("x", "y"), order("y", "x")], outcome: () => "done" };
  assert.deepEqual(counts(both), { done: 4, hang: 2 });
  assert.throws(() => play(both, "ABA"), RangeError);
});

test("a section is given up by who detaches, and taken again before it goes on", () => {
  const section = { shared: { x: { lock: null } }, outcome: () => "done", threads: [
    { call: "f()", steps: [{ enter: "x" }, { detach: true }, { attach: true }, { leave: true }] },
    { call: "g()", steps: [{ enter: "x" }, { leave: true }] }] };
  const inside = play(section, "AAB").at(-1);
  assert.equal(inside.s.x.lock, "B");
  assert.match(turn(section, inside, 0).blocked, /waits for x/);
  assert.equal(play(section, "AABBA").at(-1).s.x.lock, "A");
});

test("who enters its own section again waits for itself, and so opens it", () => {
  const twice = two([{ enter: "x" }, { section: "x", run: (s) => { s.n += 1; } }, { leave: true }], { x: { lock: null }, n: 0 });
  const opened = play(twice, "AAA").at(-1);
  assert.equal(opened.s.x.lock, null);
  assert.ok(turn(twice, opened, 1).go, "the other one comes in");
  assert.equal(counts(twice).hang, undefined);
});

test("two that wait for each other's section both give up theirs: as on a real machine, neither is safe then", () => {
  const nested = (a, b) => ({ call: "f()", steps: [{ enter: a }, { enter: b }, nothing, { leave: true }, { leave: true }] });
  const both = { shared: { x: { lock: null }, y: { lock: null } }, threads: [nested("x", "y"), nested("y", "x")], outcome: () => "done" };
  const crossed = play(both, "ABABABAB").at(-1); // enter, queue, give up, enter
  assert.deepEqual([crossed.s.x.lock, crossed.s.y.lock], ["B", "A"]);
  assert.equal(counts(both).hang, undefined);
});

test("the world stops when everybody is paused or detached, and not while somebody waits attached", () => {
  const collect = { call: "gc", steps: [{ text: "ask", run: (s) => { s.world = "is to stop"; } },
    { text: "stop", waits: "waits", when: (s, own, me, use) => use.stopped(me), run: (s) => { s.world = "runs"; } }] };
  const shared = { world: "runs", m: { lock: "C" } };
  const with_one = (steps) => ({ shared, threads: [{ call: "f()", steps }, collect], outcome: () => "done" });
  const next = (variant, schedule) => turn(variant, play(variant, schedule).at(-1), 1);
  assert.ok(next(with_one([nothing]), "B").blocked, "in C, attached");
  assert.ok(next(with_one([{ text: "Python", safe: true }]), "B").go, "pauses");
  assert.ok(next(with_one([{ detach: true }, { attach: true }]), "AB").go, "detached");
  assert.ok(next(with_one([{ lock: "m" }]), "B").go, "waits detached");
  assert.ok(next(with_one([{ lock: "m", native: true }]), "B").blocked, "waits attached");
  assert.deepEqual(counts(with_one([{ detach: true }, { attach: true, safe: true }])), { done: 3 });
});

test("references are counted, and freeing twice ends the process", () => {
  const drop = { run: (s, own, me, use) => use.decref({ to: "x" }) };
  const variant = two([drop], { x: { refs: 1 } });
  assert.equal(play(variant, "A").at(-1).s.x.freed, true);
  assert.deepEqual(counts(variant), { "crash(SIGSEGV)": 2 });
});

test("steps that go round in a circle are an error, not a frozen page", () => {
  assert.throws(() => enumerate(two([{ mark: "here", run: () => ({ goto: "here" }) }])), /circle/);
});

test("a link is read, and nonsense is refused", () => {
  const read = (text) => parsed(text, [["broken", "as it is called"]], { broken: lost, hidden: lost });
  assert.deepEqual(read("broken.AB"), ["broken", "AB"]);
  for (const text of ["broken", "broken."]) assert.deepEqual(read(text), ["broken", ""]); // mail cuts off a full stop at the end
  assert.equal(written("broken", ""), "broken");
  assert.equal(written("broken", "AB"), "broken.AB");
  for (const text of ["", "brokenAB", "broken..A", "broken.AAA", "broken.C", "other.A", "hidden.A", "toString.A", "broken.ABBAA"]) {
    assert.throws(() => read(text), Error, text);
  }
});
