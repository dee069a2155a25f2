// How many runs? Rate, confidence and count hang together; drag one, and see what the others become.
import { announcer, clamp, count, decades, h, menu, percent, redraw, s, scale, shared, significant, slider } from "./base.js";

const P = [1e-7, 0.9];
const N = [1, 1e8];
const SURE = [0, 0.9999];

/** Chance of at least one failure in n runs. */
export const detection = (p, n) => -Math.expm1(n * Math.log1p(-p));
/** Runs until a failure is seen with this chance. */
export const needed = (p, sure) => Math.max(1, Math.ceil(Math.log1p(-sure) / Math.log1p(-p) - 1e-9));
/** Below which rate are we, with this confidence, after n runs without a failure? */
export const bound = (n, sure) => -Math.expm1(Math.log1p(-sure) / n);

/** A chance in words; never a promise, and no finer than what the slider can be set to. */
export const chances = (p) => (p >= 0.99995 ? "over 99.99\u00a0%" : p < 0.00005 ? "under 0.01\u00a0%"
  : p > 0.99 || p < 0.01 ? `${Number((100 * p).toFixed(2))}\u00a0%` : percent(p));

/** A time: 20 ms, 3 min, 5 h, 12 days. */
export const duration = (seconds) => {
  for (const [unit, size] of [["years", 31557600], ["days", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * size) return `${count(seconds / size)} ${unit}`;
  }
  for (const [unit, size] of [["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) {
    if (seconds >= 0.995 * size) return `${significant(seconds / size)} ${unit}`; // 999 ms would be written as 1,000
  }
  return "under 1 µs";
};

/** A power of ten for an axis: 1, 10, 100, 1,000, 10⁴ ... */
export const decade = (x) => {
  const power = Math.round(Math.log10(x));
  const digits = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((c, i) => [String(i), c])) };
  return power >= 0 && power < 4 ? (10 ** power).toLocaleString("en") : `10${[...String(power)].map((c) => digits[c]).join("")}`;
};

/** What nobody having failed says, and how sure that is. */
export const below = (n, level) =>
  level > 0 ? `the rate is below ${percent(bound(n, level))} (${chances(level)} sure)` : "nothing: to be sure of something, raise the chance";

/** "p,level,n,name" of a link, the name being that of a recorded rate; throws on anything that is no such thing. */
export const parsed = (text, presets) => {
  const [numbers, name] = /^([^,]*,[^,]*,[^,]*)(?:,(.*))?$/.exec(text)?.slice(1) ?? [""];
  const [p, level, n] = numbers.split(",").map(Number);
  if (!(p >= P[0] && p <= P[1] && level >= SURE[0] && level <= SURE[1] && n >= N[0] && n <= N[1])) throw new RangeError(text);
  const known = presets.findIndex((one) => one.name === name);
  return { p, level, n: Math.round(n), ...(known >= 0 && { known }) };
};

export const render = ({ model, el }) => {
  el.classList.add("rl-living");
  let state, sliders, known;
  // The chance follows the count; `level`, how sure one wants to be, is only what was chosen.
  const now = { p: 0.5, sure: 0.5, n: 1, level: 0.5, known: undefined };
  const drawn = h("div", { class: "rl-drawn" });
  const says = h("dl", { class: "rl-says" });
  const controls = h("div", {});
  el.append(controls, drawn, says);
  const say = announcer(el);

  const read = () => {
    state = model.get("state");
    const { unit } = state;
    sliders = {
      p: slider({ label: `Rate per ${unit}`, min: P[0], max: P[1], log: true, value: now.p, words: percent, change: (p) => set({ p }, "p") }),
      sure: slider({ label: "Chance to see it", min: 0, max: 1, value: sureness(now.sure), steps: 200, words: (t) => chances(fromSureness(t)), change: (t) => set({ sure: fromSureness(t) }, "sure") }),
      n: slider({ label: `Number of ${unit}s`, min: N[0], max: N[1], log: true, steps: 400, value: now.n, words: (x) => count(Math.round(x)), change: (n) => set({ n: Math.round(n) }, "n") }),
    };
    const plain = sliders.sure.set;
    sliders.sure.set = (sure) => plain(sureness(sure));
    const options = [["", "a rate of your own"], ...state.presets.map((one, i) => [String(i), `${one.name}: ${percent(one.p)}`])];
    known = state.presets.length > 0 && menu({ label: "Recorded", options, value: "", change: (i) => set(i === "" ? { p: now.p } : { p: clamp(state.presets[i].p, ...P), known: Number(i) }) });
    controls.replaceChildren(...(known ? [known.element] : []), ...Object.values(sliders).map((one) => one.element));
    set({ p: state.p, sure: state.confidence });
  };
  /** Show a change; the control that made it, `by`, stays where the reader has put it. */
  const set = (change, by) => {
    Object.assign(now, change);
    if ("sure" in change) now.level = now.sure;
    // The count follows, unless it is the count that was moved: then the confidence does.
    if ("n" in change) now.sure = clamp(detection(now.p, now.n), ...SURE);
    else now.n = clamp(needed(now.p, now.sure), ...N);
    for (const [name, control] of Object.entries(sliders)) {
      if (name !== by) control.set(now[name]);
    }
    if ("p" in change) {
      const one = state.presets[change.known];
      now.known = one && percent(one.p) === percent(now.p) ? change.known : undefined;
      if (known) known.set(String(now.known ?? ""));
    }
    show();
  };

  const ask = redraw(drawn, (width) => drawn.replaceChildren(picture(width, now, state.unit)));
  const show = () => {
    ask();
    const { unit } = state;
    const chance = detection(now.p, now.n);
    const { speed, per_s: own } = state.presets[now.known] ?? {};
    // A rate that was recorded with a speed has that one; another lab's rounds may take a hundred times as long.
    const speeds = own ? [{ name: speed, per_s: own }] : state.speeds.filter(({ name }) => name === (speed ?? name));
    const which = own ? ", as recorded" : speed ? "" : ", if that is what you count";
    const trials = `${count(now.n)} ${unit}${now.n === 1 ? "" : "s"}`;
    const rows = [
      [trials, `show${now.n === 1 ? "s" : ""} a bug of this rate with a chance of ${chances(chance)}, and miss${now.n === 1 ? "es" : ""} it with ${chances(1 - chance)}`],
      [`0 of ${count(now.n)} failed`, `says: ${below(now.n, now.level)}`],
      ...speeds.map(({ name, per_s }) => [duration(now.n / per_s), `at ${count(per_s)} ${name} a second${which}`]),
    ];
    says.replaceChildren(...rows.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
    say(`${trials} at a rate of ${percent(now.p)}: seen with ${chances(chance)}.`);
  };
  const link = shared(el, () => [now.p.toPrecision(4), now.level.toPrecision(6), now.n, state.presets[now.known]?.name ?? []].flat().join(),
    (text) => set(parsed(text, state.presets)), say);
  if (link) el.insertBefore(h("div", { class: "rl-row" }, link), el.lastChild);
  model.on("change:state", read);
  read();
};

// Even steps in the number of nines: 0 %, 90 %, 99 %, 99.9 % lie equally far apart.
const sureness = (sure) => (Math.log10(1 - SURE[0]) - Math.log10(1 - sure)) / (Math.log10(1 - SURE[0]) - Math.log10(1 - SURE[1]));
const fromSureness = (t) => 1 - (1 - SURE[0]) * ((1 - SURE[1]) / (1 - SURE[0])) ** clamp(t, 0, 1);

const picture = (width, { p, n, level }, unit) => {
  const height = clamp(width * 0.5, 218, 318);
  const x = scale(...N, 46, width - 14, true);
  const y = scale(0, 1, height - 44, 50);
  const curve = (rate) => Array.from({ length: 121 }, (_, i) => {
    const at = x.back(46 + ((width - 60) * i) / 120);
    return `${x(at).toFixed(1)},${y(detection(rate, at)).toFixed(1)}`;
  }).join(" ");
  const chance = detection(p, n);
  const marked = [x(clamp(n, ...N)), y(chance)];
  const said = `${chances(chance)} at ${count(n)}`;
  const left = marked[0] + 13 + 7.2 * said.length > width;
  const none = `0 of ${count(n)}: below ${percent(bound(n, level))}`;
  const wide = 7.2 * none.length;
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Chance of at least one failure against the number of ${unit}s: ${chances(chance)} at ${count(n)}. 0 of ${count(n)} says ${below(n, level)}` },
    s("text", { x: 2, y: 13, class: "quiet", text: "chance of at least one failure" }),
    [0, 0.5, 1].map((v) => [
      s("line", { class: "grid", x1: 46, x2: width - 14, y1: y(v), y2: y(v) }),
      s("text", { x: 40, y: y(v) + 4, "text-anchor": "end", class: "quiet", text: `${100 * v} %` })]),
    decades(...N, width < 480 ? 5 : 9).map((v) => s("text", { x: x(v), y: height - 26, "text-anchor": "middle", class: "quiet", text: decade(v) })),
    s("text", { x: (width + 32) / 2, y: height - 6, "text-anchor": "middle", class: "quiet", text: `${unit}s` }),
    s("line", { x1: marked[0], x2: marked[0], y1: y(0), y2: 38, stroke: "var(--edge)", "stroke-dasharray": "3 4" }),
    // A bug of this rate would have shown with just the chance that was wanted: none that is more frequent can be there.
    level > 0 && s("g", { class: "rl-none" },
      s("polyline", { points: curve(bound(n, level)), fill: "none", stroke: "var(--quiet)", "stroke-width": 1.5, "stroke-dasharray": "6 4" }),
      s("path", { d: `M${marked[0] - 8},${y(level)}l8,-8l8,8l-8,8z`, fill: "var(--paper)", stroke: "var(--ink)", "stroke-width": 2 }),
      s("text", { x: clamp(marked[0] - wide / 2, 2, Math.max(2, width - wide - 2)), y: 32, text: none })),
    s("polyline", { points: curve(p), fill: "none", stroke: "var(--accent)", "stroke-width": 2.5 }),
    s("circle", { cx: marked[0], cy: marked[1], r: 5, fill: "var(--broken)", stroke: "var(--paper)", "stroke-width": 1.5 }),
    s("text", { x: marked[0] + (left ? -13 : 13), y: clamp(marked[1] + (chance > 0.5 ? 22 : -10), 66, height - 52), "text-anchor": left ? "end" : "start", text: said }));
};

export default { render };
