// What came out: the variants of a lab side by side, how often each fails, how, and what it costs.
// Rates, intervals and sentences come from Python; here they are chosen, put in order and drawn.
import { announcer, button, choice, clamp, count, decades, h, menu, percent, s, scale, shared, significant, unique } from "./base.js";

const UNITS = ["round", "repetition"];
const ORDERS = [["", "as written"], ["rate", "by rate"], ["cost", "by cost"]];

const fits = (at, setting) => at.every((value, i) => value === null || value === setting[i]);
const worded = (state, at) => at.map((value, i) => (value === null ? null : `${state.fields[i].label}: ${value}`)).filter(Boolean).join(", ");

/** The conditions nearest to those asked for, by what has to be changed: a list of all of them would be a wall of text. */
const nearest = (state, races, at) => {
  const ways = races.map((one) => one.at.map((value, i) => (value === at[i] ? null : value)));
  const changes = (way) => way.filter((value) => value !== null).length;
  const least = Math.min(...ways.map(changes));
  return [...new Set(ways.filter((way) => changes(way) === least).map((way) => worded(state, way)))].slice(0, 2).join("; or ");
};

/** Each variant with what there is of it under these conditions, and a sentence where there is nothing. */
export const rows = (state, { at, unit, kind }) => state.variants.map(([key, name]) => {
  const races = state.races.filter((one) => one.variant === key);
  const here = races.filter((one) => fits(one.at, at));
  const costs = state.costs.filter((one) => one.variant === key);
  const rated = here.filter((one) => one[unit]);
  return {
    key, name, here, rated,
    costs: costs.filter((one) => one.kind === kind),
    fails: rated.some((one) => one[unit].failed),
    silent: rated.every((one) => one.silent),
    everFailed: key.startsWith("broken") || races.some((one) => UNITS.some((of) => one[of]?.failed)),
    noRate: rated.length ? "" : !races.length ? "Not raced: only its cost was measured."
      : here.length ? `No rate per ${unit} here: choose the other one.`
        : `Not recorded with these choices. The nearest is ${nearest(state, races, at)}.`,
    noCost: costs.some((one) => one.kind === kind) ? "" : !costs.length ? "Its cost was not recorded."
      : `Not timed: ${kind}. There is: ${[...new Set(costs.map((one) => one.kind))].join("; ")}.`,
  };
});

/** Rows in order, by what was recorded where it was; those that did not fail by their bound; those without a number last. */
export const ordered = (list, order, unit) => {
  const rate = ({ rated }) => {
    const { failed, mid, high } = rated[0]?.[unit] ?? {};
    return failed === undefined ? 9 : failed ? mid + 2 : high;
  };
  const value = { rate, cost: ({ costs }) => costs[0]?.mid ?? Infinity }[order];
  return value ? [...list].sort((a, b) => (value(a) === value(b) ? 0 : value(a) - value(b))) : list;
};

/**
 * The cheapest row that nothing speaks against: it did not fail here, and has not failed anywhere in this figure.
 * After it those whose quickest timing is no slower than its median: they cannot be told apart from it.
 */
export const cheapest = (list) => {
  const [best, ...more] = ordered(list.filter((row) => row.costs.length && row.rated.length && !row.everFailed && !row.silent), "cost");
  return best ? [best, ...more.filter(({ costs }) => costs[0].all[0] <= best.costs[0].mid)] : [];
};

/** The answer to "by cost". Where what is broken is no cheaper, timings show no price of its repair. */
export const verdictOf = (list) => {
  const [best, ...close] = cheapest(list);
  if (!best) return "Of those that were timed and raced here, each has failed in some race of this figure, or is broken on purpose.";
  const names = (some) => some.map(({ name }) => name).join(" and ");
  const bare = ordered(list.filter(({ key, costs }) => key.startsWith("broken") && costs.length), "cost")[0];
  if (bare?.costs[0].mid > best.costs[0].mid) return `These timings tell no difference: ${names([best, ...close])} cost no more than ${bare.name}, which is broken.`;
  return `Cheapest by its median, of those that have not failed in any race of this figure: ${best.name}.${close.length ? ` Timings of ${names(close)} come as low.` : ""}`;
};

/** A rate in the unit that the sentences of `racelab.stats` have. */
export const often = (p) => (p > 0.99e-4 ? percent(p) : p > 0.99e-7 ? `${significant(p * 1e6)} per million` : `${significant(p * 1e9)} per billion`);

/** One sentence for who hears the figure: the names in order, the medians, or who failed and how often; by what was changed. */
export const said = (state, list, { unit }, what) => {
  if (what === "order") return `In order: ${list.map(({ name }) => name).join(", ")}.`;
  if (what === "kind") return `Medians: ${ordered(list.filter(({ costs }) => costs.length), "cost").map(({ name, costs }) => `${name} ${amount(costs[0].mid)}`).join(", ")} ${state.unit}.`;
  const bad = list.filter(({ fails }) => fails).map(({ name, rated }) => [Math.max(...rated.map((one) => (one[unit].failed ? one[unit].mid : 0))), name]).sort((a, b) => b[0] - a[0]);
  const fine = list.filter(({ rated, fails }) => rated.length && !fails).length;
  const none = list.filter(({ rated }) => !rated.length).length;
  const [[rate, name] = []] = bad;
  return `${[name && `${bad.length > 1 ? `${bad.length} failed, most often ${name},` : `${name} failed`} ${often(rate)} per ${unit}`,
    fine && `${fine}${name ? ` other${fine > 1 ? "s" : ""}` : ""} did not fail`, none && `of ${none} there is no rate here`].filter(Boolean).join("; ")}.`;
};

/** Ends of an axis and its ticks. Rates: up to 100 %, with room for an arrow below the lowest bound. */
export const rateAxis = (races, unit) => {
  const seen = races.flatMap((one) => (one[unit] ? [one[unit].low, one[unit].mid, one[unit].high] : [])).filter((x) => x > 0);
  const low = Math.min(0.05, ...seen) / 4;
  return { low, high: 1, log: true, ticks: decades(low, 1, 3) };
};

export const costAxis = (costs) => {
  const all = costs.flatMap((one) => one.all);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const log = least > 0 && most / least > 8;
  const [low, high] = log ? [least / 1.3, most * 1.3] : [0, (most || 1) * 1.05];
  const step = 10 ** Math.floor(Math.log10(high / 2));
  const wide = [5, 2, 1].map((n) => n * step).find((n) => high / n >= 2) ?? step;
  const even = Array.from({ length: Math.floor(high / wide) + 1 }, (_, i) => i * wide);
  const few = decades(low, high, 4);
  return { low, high, log, ticks: !log ? even : few.length > 1 ? few : [1, 2, 5, 10, 20, 50].map((n) => n * 10 ** Math.floor(Math.log10(low))).filter((x) => x > low && x < high) };
};

const plainly = (x) => encodeURIComponent(x).replaceAll(".", "%2E").replaceAll("~", "%7E");

/**
 * "round.rate.1 thread.GIL~off~Window~as it is.broken" of a link: unit, order, kind of cost, conditions, open row; throws
 * on anything else. A condition that the link does not name is as the figure begins: recordings grow.
 */
export const parsed = (text, state) => {
  const [unit, order = "", kind = "", at = "", open = ""] = text.split(".");
  const pairs = at.split("~").map(decodeURIComponent);
  const wanted = new Map(pairs.flatMap((label, i) => (i % 2 ? [] : [[label, pairs[i + 1]]])));
  const now = { unit, order, kind: decodeURIComponent(kind), open: decodeURIComponent(open) || null,
    at: state.fields.map(({ label }, i) => wanted.get(label) ?? state.at[i]) };
  if (!UNITS.includes(unit) || !ORDERS.some(([key]) => key === order) || (state.kinds.length && !state.kinds.includes(now.kind))
    || now.at.some((value, i) => !state.fields[i].options.includes(value)) || (now.open && !state.variants.some(([key]) => key === now.open))) throw new RangeError(text);
  return now;
};

export const written = (now, state) => [now.unit, now.order, plainly(now.kind),
  now.at.flatMap((value, i) => [state.fields[i].label, value]).map(plainly).join("~"), plainly(now.open ?? "")].join(".").replace(/\.+$/, ""); // mail cuts off a full stop at the end

export const render = ({ model, el }) => {
  el.classList.add("rl-living");
  let state = model.get("state");
  const begin = () => ({
    at: state.at, order: "", open: null, kind: state.kinds[0] ?? "",
    unit: UNITS.find((unit) => state.races.some((one) => one[unit])) ?? "round",
  });
  let now = begin();
  let places = {}; // of each variant's button, which keeps the focus when rows change places
  const controls = h("div", { class: "rl-ex-controls" });
  const chosen = h("summary", {});
  const folded = h("details", { class: "rl-ex-folded" }, chosen, controls); // on a phone; else there is no summary
  const phone = matchMedia("(max-width: 600px)");
  phone.addEventListener("change", () => { folded.open = !phone.matches; });
  folded.open = !phone.matches;
  const verdict = h("p", { class: "rl-ex-verdict" });
  const list = h("ol", { class: "rl-ex-rows", role: "list" });
  const tasks = h("div", { class: "rl-row" });
  el.append(folded, verdict, list, tasks);
  const say = announcer(el);

  const set = (change, spoken = true) => {
    Object.assign(now, change);
    show();
    if (spoken) say(`${said(state, all(), now, Object.keys(change)[0])} ${verdict.textContent}`.trim());
  };
  const pick = (label, options, value, change) => (options.length < 2 ? null
    : (options.some(([, text]) => text.length > 24) || options.length > 4 ? menu : choice)({ label, options, value, change }).element);
  const plain = (values) => values.map((value) => [value, value]);
  const furnish = () => controls.replaceChildren(...[
    ...state.fields.map(({ label, options }, i) => pick(label, plain(options), now.at[i], (value) => set({ at: now.at.with(i, value) }))),
    pick("Rate per", plain(UNITS.filter((unit) => state.races.some((one) => one[unit]))), now.unit, (unit) => set({ unit })),
    pick(`Cost of ${state.cost}`, plain(state.kinds), now.kind, (kind) => set({ kind })),
    pick("Order", ORDERS.filter(([key]) => key !== "cost" || state.costs.length), now.order, (order) => set({ order })),
  ].filter(Boolean));
  const all = () => ordered(rows(state, now), now.order, now.unit);
  const both = () => [...state.races, ...state.costs].some(({ fresh }) => fresh);
  const when = (one) => (both() ? (one.fresh ? "today: " : "recorded: ") : "");
  const whose = (one) => (both() ? h("b", {}, when(one)) : null);
  const price = (one) => `median ${amount(one.mid)} ${state.unit} (${one.all.length} timings, ${amount(one.all[0])} to ${amount(one.all.at(-1))})`;

  const show = () => {
    const axis = rateAxis(state.races, now.unit);
    const dear = state.costs.length ? costAxis(state.costs.filter(({ kind }) => kind === now.kind)) : null;
    const shown = all();
    const focused = Object.keys(places).find((key) => places[key] === document.activeElement);
    places = {};
    list.classList.toggle("rl-ex-costs", Boolean(dear));
    list.replaceChildren(
      h("li", { class: "rl-ex-head", "aria-hidden": "true" }, h("span", {}, "Variant"), h("span", {}, `Failures per ${now.unit}`), dear && h("span", {}, `${state.cost} (${state.unit})`)),
      ...shown.map((row) => {
        const id = unique("outcomes");
        const open = now.open === row.key;
        const tone = !row.rated.length ? "" : row.fails ? "bad" : row.silent ? "" : "good";
        const mark = { bad: "✗ failed", good: `✓ did not fail${row.everFailed ? " here" : ""}`, "": row.rated.length ? "? did not fail; says little: no race that is known to fail did so here" : "" }[tone];
        places[row.key] = row.here.length ? button(row.name, () => set({ open: open ? null : row.key }, false), { "aria-expanded": String(open), "aria-controls": id }) : null;
        return h("li", { class: `rl-ex-row rl-ex-${tone}` },
          h("div", { class: "rl-ex-name" }, places[row.key] ?? h("strong", {}, row.name), mark && h("span", {}, mark)),
          h("div", {}, row.rated.length ? rateStrip(row, now.unit, axis) : null,
            row.noRate ? h("p", {}, row.noRate) : row.rated.map((one) => h("p", {}, whose(one), one[now.unit].words))),
          dear && h("div", {}, row.costs.length ? costStrip(row, dear) : null, row.noCost ? h("p", {}, row.noCost) : row.costs.map((one) => h("p", {}, whose(one), price(one)))),
          h("div", { class: "rl-ex-open", id, hidden: !open }, open ? [state.notes?.[row.key] ? h("p", {}, state.notes[row.key]) : null, ...row.here.map((one) => details(one, both()))] : null));
      }));
    if (focused !== undefined) places[focused]?.focus();
    verdict.textContent = judged(shown);
    chosen.textContent = [worded(state, now.at), `per ${now.unit}`, now.kind, ORDERS.find(([key]) => key === now.order)[1]].filter(Boolean).join(", ");
  };
  const judged = (shown) => {
    if (!shown.some((row) => row.rated.length)) return `Nothing was recorded with ${worded(state, now.at)}: choose something else.`;
    return now.order === "cost" ? verdictOf(shown) : "";
  };
  const link = shared(el, () => written(now, state), (text) => { now = { ...now, ...parsed(text, state) }; furnish(); show(); }, say);
  if (link) tasks.append(link);
  model.on("change:state", () => {
    const old = now;
    state = model.get("state");
    // What the reader has chosen stays; the conditions are those of what has just come in.
    now = { ...begin(), order: old.order, open: state.variants.some(([key]) => key === old.open) ? old.open : null };
    if (state.races.some((one) => one[old.unit])) now.unit = old.unit;
    if (state.kinds.includes(old.kind)) now.kind = old.kind;
    furnish();
    show();
    const latest = state.races.findLast(({ fresh }) => fresh);
    say(`Fresh results. ${latest?.[now.unit]?.words ?? ""}`);
  });
  furnish();
  show();
};

const amount = (x) => (x < 1000 ? significant(x, 3) : count(x));

/** One race in full: its outcomes with grades and reasons, and the conditions. */
const details = (one, both) => [
  both ? h("p", {}, h("b", {}, one.fresh ? "Today" : "Recorded")) : null,
  one.table.length ? h("table", {},
    h("thead", {}, h("tr", {}, ["Outcome", "Rounds", "Processes", "Grade", "Why"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, one.table.map(([label, rounds, times, grade, why]) => h("tr", {},
      h("th", { scope: "row" }, label), [rounds || "–", times, grade, why].map((text, i) => h("td", { "data-head": ["Rounds", "Processes", "Grade", "Why"][i] }, text)))))) : null,
  one.said.map((text) => h("p", {}, text)),
];

const share = (px) => `${px.toFixed(2)}%`;
const place = (at, ...inside) => s("svg", { x: share(at), overflow: "visible" }, ...inside);

const beside = (x, long) => ({ x: share(long && x < 20 ? 0 : x), "text-anchor": x > 92 ? "end" : x < (long ? 20 : 6) ? "start" : "middle" });

/** The ticks of an axis and what stands on it; x in percent, so that it fits every width. */
const strip = (height, axis, words, draw) => {
  const x = scale(axis.low, axis.high, 3, 97, axis.log);
  return s("svg", { width: "100%", height: height + 18, "aria-hidden": "true" },
    axis.ticks.map((value) => [s("line", { class: "grid", x1: share(x(value)), x2: share(x(value)), y1: 0, y2: height }),
      s("text", { class: "quiet", y: height + 13, text: words(value), ...beside(x(value), words(value).length > 8) })]),
    s("line", { class: "axis", x1: "0%", x2: "100%", y1: height, y2: height }),
    draw((value) => clamp(x(value), 0, 100)));
};

/** Recorded: a bar. Fresh: a mark with whiskers. Nothing seen: an arrow that begins at the bound. */
const rateStrip = (row, unit, axis) => strip(17 * row.rated.length + 7, axis, often, (x) => row.rated.map((one, i) => {
  const { failed, low, mid, high } = one[unit];
  const y = 12 + 17 * i;
  const colour = `var(--${failed ? "broken" : one.silent ? "quiet" : "fixed"})`;
  if (!failed) {
    return place(x(high), s("path", { d: `M0,${y - 7} v14 M0,${y} h-24 m7,-5 l-7,5 l7,5`, fill: "none", stroke: colour, "stroke-width": one.fresh ? 2 : 3 }),
      one.fresh ? s("rect", { x: -4, y: y - 4, width: 8, height: 8, fill: colour }) : null);
  }
  return [s("line", { x1: share(x(low)), x2: share(x(high)), y1: y, y2: y, stroke: colour, "stroke-width": one.fresh ? 2 : 9, "stroke-opacity": one.fresh ? 1 : 0.55 }),
    place(x(mid), one.fresh ? s("circle", { cy: y, r: 5, fill: colour }) : s("path", { d: `M0,${y - 8} v16`, stroke: colour, "stroke-width": 3 }))];
}));

const costStrip = (row, axis) => strip(17 * row.costs.length + 7, axis, amount, (x) => row.costs.map((one, i) => {
  const y = 12 + 17 * i;
  const colour = one.fresh ? "var(--accent)" : "var(--quiet)";
  return [one.all.map((value) => s("circle", { cx: share(x(value)), cy: y, r: 3, fill: "none", stroke: colour, "stroke-opacity": 0.6 })),
    place(x(one.mid), s("path", { d: `M0,${y - 8} v16`, stroke: one.fresh ? colour : "var(--ink)", "stroke-width": 2.5 }))];
}));

export default { render };
