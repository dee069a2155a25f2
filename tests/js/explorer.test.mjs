// The explorer's rows: what there is under these conditions, in which order, on which axis; and its links.
import assert from "node:assert/strict";
import { test } from "node:test";

import { cheapest, costAxis, often, ordered, parsed, rateAxis, rows, said, verdictOf, written } from "../../src/racelab/widgets/explorer.js";

const rate = (failed, mid, high = mid * 2, low = mid / 2) => ({ failed, low, mid, high, words: `${failed} failed` });
const race = (variant, at, round, more = {}) => ({ variant, at, round, repetition: rate(round?.failed ?? 1, 0.5), fresh: false, silent: false, ...more });
const cost = (variant, kind, mid) => ({ variant, kind, mid, all: [mid * 0.9, mid, mid * 1.2], fresh: false });
const state = {
  variants: [["broken", "no lock"], ["fixed", "a lock"], ["fixed_big", "a big lock"], ["lone", "not raced"]],
  fields: [{ label: "GIL", options: ["off", "on"] }, { label: "Machine", options: ["one", "two"] }],
  races: [
    race("broken", ["off", "one"], rate(7, 0.1)), race("broken", ["on", "one"], rate(0, 0, 1e-5, 0)),
    race("fixed", ["off", "one"], rate(0, 0, 1e-6, 0)), race("fixed_big", ["off", "one"], rate(0, 0, 1e-7, 0)),
  ],
  cost: "one call", unit: "ns", kinds: ["1 thread", "2 threads"],
  costs: [cost("broken", "1 thread", 2), cost("fixed", "1 thread", 5), cost("fixed_big", "1 thread", 6), cost("fixed_big", "2 threads", 60), cost("lone", "1 thread", 1)],
};
const off = { at: ["off", "one"], unit: "round", kind: "1 thread" };
const names = (list) => list.map(({ key }) => key);

test("what was not recorded says so, and what there is instead", () => {
  const on = rows(state, { ...off, at: ["on", "one"] });
  assert.deepEqual(on.map(({ rated }) => rated.length), [1, 0, 0, 0]);
  assert.equal(on[1].noRate, "Not recorded with these choices. The nearest is GIL: off.");
  assert.match(on[3].noRate, /^Not raced/);
  assert.equal(rows(state, { ...off, kind: "2 threads" })[0].noCost, "Not timed: 2 threads. There is: 1 thread.");
  assert.equal(rows({ ...state, costs: [] }, off)[0].noCost, "Its cost was not recorded.");
});

test("of many conditions only the nearest are named, and of them what differs", () => {
  const many = ["1", "2", "4"].flatMap((n) => ["-O0", "-O2"].map((flags) => race("broken", [n, flags, "off"], rate(1, 0.1))));
  const fields = [["Threads", ["1", "2", "4"]], ["Flags", ["-O0", "-O2"]], ["GIL", ["off", "on"]]].map(([label, options]) => ({ label, options }));
  const [row] = rows({ ...state, fields, variants: [["broken", "no lock"]], races: many }, { ...off, at: ["4", "-O2", "on"] });
  assert.equal(row.noRate, "Not recorded with these choices. The nearest is GIL: off.");
  const [two] = rows({ ...state, fields, variants: [["broken", "no lock"]], races: many }, { ...off, at: ["8", "-O2", "off"] });
  assert.equal(two.noRate, "Not recorded with these choices. The nearest is Threads: 1; or Threads: 2.");
});

test("a race without a rate of this kind says that, too", () => {
  const cold = { ...state, races: [race("fixed", ["off", "one"], null)] };
  assert.match(rows(cold, off)[1].noRate, /No rate per round/);
  assert.equal(rows(cold, { ...off, unit: "repetition" })[1].noRate, "");
});

test("fresh results stand beside recorded ones of any machine, and under no other conditions", () => {
  const fresh = { ...state, races: [...state.races, race("fixed", ["off", null], rate(0, 0, 1e-4, 0), { fresh: true })] };
  assert.deepEqual(rows(fresh, off)[1].rated.map(({ fresh }) => fresh), [false, true]);
  assert.equal(rows(fresh, { ...off, at: ["off", "two"] })[1].rated.length, 1);
  assert.equal(rows(fresh, { ...off, at: ["on", "two"] })[1].rated.length, 0);
});

test("rows are put in order: by rate with the bounds first, by cost, and what has no number last", () => {
  const list = rows(state, off);
  assert.deepEqual(names(ordered(list, "", "round")), ["broken", "fixed", "fixed_big", "lone"]);
  assert.deepEqual(names(ordered(list, "rate", "round")), ["fixed_big", "fixed", "broken", "lone"]);
  assert.deepEqual(names(ordered(list, "cost", "round")), ["lone", "broken", "fixed", "fixed_big"]);
  assert.deepEqual(names(ordered(rows(state, { ...off, kind: "2 threads" }), "cost", "round")), ["fixed_big", "broken", "fixed", "lone"]);
});

test("what was recorded decides on the order, today's few numbers only where nothing was", () => {
  const today = { ...state, costs: [...state.costs, { ...cost("fixed", "1 thread", 9), fresh: true }],
    races: [...state.races, race("fixed", ["off", null], rate(9, 0.9), { fresh: true })] };
  assert.deepEqual(names(ordered(rows(today, off), "cost", "round")), ["lone", "broken", "fixed", "fixed_big"]);
  assert.deepEqual(names(ordered(rows(today, off), "rate", "round")), ["fixed_big", "fixed", "broken", "lone"]);
  assert.equal(rows(today, off)[1].fails, true);
});

test("the cheapest is none that failed anywhere, was not raced, or whose machine shows nothing; who comes as low is named", () => {
  const first = (of, where = off) => names(cheapest(rows(of, where)));
  assert.deepEqual(first(state), ["fixed"]);
  assert.deepEqual(first(state, { ...off, at: ["on", "one"] }), []);
  const failed = { ...state, races: [...state.races, race("fixed", ["on", "two"], rate(1, 0.01))] };
  assert.deepEqual(first(failed), ["fixed_big"]);
  const silent = { ...state, races: state.races.map((one) => (one.variant === "fixed" ? { ...one, silent: true } : one)) };
  assert.deepEqual(first(silent), ["fixed_big"]);
  const close = { ...state, costs: [cost("fixed", "1 thread", 5), cost("fixed_big", "1 thread", 5.5)] };
  assert.deepEqual(first(close), ["fixed", "fixed_big"]);
});

test("where what is broken is no cheaper, nothing is called the cheapest", () => {
  const list = (mid) => rows({ ...state, costs: [cost("broken", "1 thread", mid), cost("fixed", "1 thread", 5), cost("fixed_big", "1 thread", 5.2)] }, off);
  assert.equal(verdictOf(list(2)), "Cheapest by its median, of those that have not failed in any race of this figure: a lock. Timings of a big lock come as low.");
  assert.equal(verdictOf(list(6)), "These timings tell no difference: a lock and a big lock cost no more than no lock, which is broken.");
});

test("a change is said in one sentence, whatever there is", () => {
  const words = (of, now = off) => said(of, rows(of, now), now, "rate");
  assert.equal(words(state), "no lock failed 10\u00a0% per round; 2 others did not fail; of 1 there is no rate here.");
  assert.equal(words(state, { ...off, at: ["on", "one"] }), "1 did not fail; of 3 there is no rate here.");
  const worse = { ...state, races: state.races.map((one, i) => ({ ...one, round: rate(9, [0.1, 0.4, 0.3, 0.2][i]) })) };
  assert.equal(words(worse), "3 failed, most often a lock, 30\u00a0% per round; of 1 there is no rate here.");
  assert.equal(said(state, rows(state, off), off, "kind"), "Medians: not raced 1, no lock 2, a lock 5, a big lock 6 ns.");
});

test("a rate is said in the unit that the sentences have", () => {
  assert.deepEqual([1, 0.187, 1e-4, 1e-5, 1e-7, 1e-8].map(often),
    ["100\u00a0%", "19\u00a0%", "0.01\u00a0%", "10 per million", "0.1 per million", "10 per billion"]);
});

test("axes hold every number, and do not move with the conditions", () => {
  const { low, high, ticks } = rateAxis(state.races, "round");
  assert.ok(low < 1e-7 && low > 0 && high === 1);
  assert.ok(ticks.every((x) => x >= low && x <= 1) && ticks.length >= 2 && ticks.length <= 5);
  assert.ok(rateAxis([], "round").ticks.length >= 2);
  const near = costAxis([cost("a", "", 40), cost("b", "", 60)]);
  assert.deepEqual([near.log, near.low], [false, 0]);
  assert.ok(near.ticks.length >= 3);
  assert.deepEqual([costAxis([{ all: [0, 50] }]).log, costAxis([{ all: [0, 0] }]).high > 0], [false, true]);
  const far = costAxis(state.costs);
  assert.ok(far.log && far.low < 0.9 && far.high > 72 && far.ticks.length >= 2);
  assert.ok(costAxis([cost("a", "", 2), cost("b", "", 20)]).ticks.length >= 2);
});

test("a link is read back, and nonsense is refused", () => {
  const begun = { ...state, at: ["off", "one"] };
  const now = { unit: "repetition", order: "cost", kind: "2 threads", at: ["on", "one"], open: "fixed_big" };
  assert.equal(written(now, begun), "repetition.cost.2%20threads.GIL~on~Machine~one.fixed_big");
  assert.deepEqual(parsed(written(now, begun), begun), now);
  assert.equal(parsed("round..1%20thread.GIL~off~Machine~two.", begun).open, null);
  const odd = { ...begun, fields: [{ label: "a.b~c", options: ["x~.y", "z"] }], at: ["z"] };
  const there = { ...now, at: ["x~.y"] };
  assert.deepEqual(parsed(written(there, odd), odd), there);
  const single = { ...begun, fields: [], at: [], kinds: [""] }; // one kind of cost, without a name, and nothing to switch
  assert.deepEqual(parsed("round.cost...fixed", single), { unit: "round", order: "cost", kind: "", at: [], open: "fixed" });
  assert.throws(() => parsed("round.cost.1..", single));
  const bare = { unit: "round", order: "", kind: "", at: [], open: null };
  assert.equal(written(bare, single), "round", "no full stop at the end: mail cuts it off");
  assert.equal(written({ ...now, open: null }, begun), "repetition.cost.2%20threads.GIL~on~Machine~one");
  for (const text of ["round", "round.", "round....", "round..."]) assert.deepEqual(parsed(text, single), bare, text);
  for (const text of ["", "day.cost.1%20thread.GIL~off.", "round.size.1%20thread.GIL~off.", "round.cost.9.GIL~off.", "round.cost.1%20thread.GIL~5.", "round.cost.1%20thread.GIL~off.nobody"]) {
    assert.throws(() => parsed(text, begun), undefined, text);
  }
});

test("a link means the same when a later recording has more, in another order", () => {
  const link = written({ unit: "round", order: "", kind: "2 threads", at: ["on", "two"], open: null }, { ...state, at: ["off", "one"] });
  const grown = { ...state, kinds: ["from Python", ...state.kinds], at: ["2", "one", "off"],
    fields: [{ label: "Threads", options: ["2", "4"] }, { label: "Machine", options: ["three", "two", "one"] }, { label: "GIL", options: ["on", "off"] }] };
  assert.deepEqual(parsed(link, grown), { unit: "round", order: "", kind: "2 threads", at: ["2", "two", "on"], open: null });
});
