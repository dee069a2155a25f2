// When do two windows meet? One call is moved along another; below, how often they met in an offset scan, and where
// each way to release two threads puts them, all on one axis.
import { announcer, button, clamp, count, h, menu, percent, redraw, s, shared, significant, slider } from "./base.js";

const TALL = { lane: 28, lanes: 94, peak: 150, axis: 58, row: 46 };
const SIDE = 16;
const BAR = 4;

/** An axis that is even around 0 and logarithmic far out: ns -> pixels, and back. */
export const stretched = (reach, soft, from, to) => {
  const middle = (from + to) / 2;
  const half = (to - from) / 2 / Math.asinh(reach / soft);
  const px = (ns) => middle + half * Math.asinh(ns / soft);
  px.back = (at) => soft * Math.sinh((at - middle) / half);
  return px;
};

/** As many digits as a hand can choose. */
export const rounded = (ns) => {
  const step = Math.max(1, 10 ** (Math.floor(Math.log10(Math.abs(ns) || 1)) - 1));
  return Math.round(ns / step) * step || 0;
};

/** A distance in time: 50 ns, 1.2 µs, 3 ms. */
export const apart = (ns) => {
  const size = Math.abs(ns);
  return size < 1e3 ? `${Math.round(size)} ns` : size < 1e6 ? `${significant(size / 1e3, 3)} µs` : `${significant(size / 1e6, 3)} ms`;
};

/** A rate, with a digit more than the shared `percent` where it is large: intervals are narrow. */
export const rated = (p) => (p > 0.1 && p < 0.999 ? `${(100 * p).toFixed(1)}\u00a0%` : percent(p));

export const signed = (ns) => (ns ? `${ns < 0 ? "−" : ""}${apart(ns)}` : "0");

export const later = (ns) => (ns ? `${apart(ns)} ${ns > 0 ? "later" : "earlier"}` : "with B");

/** Where two windows lie that overlap exactly while the offset is inside the band. */
export const windows = (offset, [low, high]) => {
  const [width, b] = [(high - low) / 2, (high + low) / 2];
  const both = [Math.max(offset, b), Math.min(offset, b) + width];
  return { width, A: [offset, offset + width], B: [b, b + width], both: both[0] < both[1] ? both : null };
};

/** Do the windows meet? They are drawn sharper than the peak is, so close to one another it is said what was measured. */
export const judged = (both, gap, hits, failure) =>
  both ? `✗ The windows overlap: ${failure}.`
    : gap < 1 && hits > 0 ? "≈ As drawn, the windows just miss each other. The peak has no such edge: close by, rounds failed in the scan."
      : `✓ The windows do not meet: one is over before the other begins${gap >= 1 ? `, and ${count(gap)} more would fit between them` : ""}.`;

/** The measured point next to an offset, and whether the scan went so far. */
export const nearest = (points, offset) => {
  const point = points.reduce((best, one) => (Math.abs(one[0] - offset) < Math.abs(best[0] - offset) ? one : best));
  return { point, scanned: offset >= points[0][0] && offset <= points.at(-1)[0] };
};

/** How many of a way's releases are inside the band; of some only the twentieths are known. */
export const inside = ({ n, inside: share }) => {
  if (n === null) return `${share === 0 ? "fewer than 1" : share > 0.94 ? "at least 19" : `about ${Math.max(1, Math.round(20 * share))}`} in 20 releases`;
  return share === 0 ? `0 of ${count(n)} releases (the rate is below ${percent(1 - 0.05 ** (1 / n))}, 95 % sure)` : `${percent(share)} of ${count(n)} releases`;
};

/** How many releases each column of a picture holds, so many pixels wide: half of them on each side of 0, none from beyond its axis. */
export const columns = (bins, x, reach, wide) => {
  const found = new Map();
  for (const [low, high, n] of bins.filter(([from]) => from < reach)) {
    for (const side of [-1, 1]) {
      const [left, right] = [low, high].map((ns) => x(side * Math.min(ns, reach))).sort((a, b) => a - b);
      const first = Math.floor(left / wide);
      for (let k = first; k <= Math.max(first, Math.ceil(right / wide) - 1); k += 1) {
        const part = right > left ? (Math.min(right, (k + 1) * wide) - Math.max(left, k * wide)) / (right - left) : 1;
        found.set(k, (found.get(k) ?? 0) + (part * n) / 2);
      }
    }
  }
  return found;
};

/** The columns that are drawn: a row of those with next to nothing in them looks like an axis. */
export const seen = (held, n) => [...held].filter(([, some]) => some >= 0.001 * n);

/** The k-th release to be shown of a way: its twentieths in a mixed order, each thread being first in turn. */
export const release = (cuts, k) => cuts[(7 * k + 3) % cuts.length] * (k % 2 ? -1 : 1);

/** Marks of the axis: 0 and powers of ten to both sides, as many as there is room for. */
export const marks = (reach, width) => {
  const powers = [];
  for (let ns = 100; ns <= reach; ns *= 10) powers.push(ns);
  const step = Math.ceil(powers.length / clamp(Math.floor((width / 2 - 20) / 62), 1, 9));
  return [0, ...powers.filter((_, i) => (powers.length - 1 - i) % step === 0).flatMap((ns) => [-ns, ns])].sort((a, b) => a - b);
};

/** "-50_3_appointment" of a link: offset, how many releases are shown, name of the way; throws on anything that is no such thing. */
export const parsed = (text, { ways }, reach) => {
  const [, offset, shown, name] = /^(-?\d+)_(\d+)_(.+)$/.exec(text) ?? [];
  const way = ways.findIndex((one) => one.name === name);
  if (!(Math.abs(offset) <= reach && shown <= ways[way]?.cuts.length)) throw new RangeError(text);
  return { offset: Number(offset), way, shown: Number(shown) };
};

/** How far the axis goes: to the farthest of everything. */
export const reaching = ({ points, ways }) =>
  rounded(1.15 * Math.max(1e4, ...points.map(([ns]) => Math.abs(ns)), ...ways.flatMap(({ cuts, before }) => [cuts.at(-1), before?.cuts.at(-1) ?? 0])));

export const render = ({ model, el }) => {
  el.classList.add("rl-living");
  let state, reach, axis;
  // Until somebody `asked`, by a release or another way, it is not said how many are inside: one is to guess.
  const now = { offset: 0, way: 0, shown: 0, asked: false };
  const drawn = h("div", { class: "rl-sc-drawn" });
  const says = h("dl", { class: "rl-says" });
  const verdict = h("p", { class: "rl-sc-verdict" });
  const top = h("div", {});
  el.append(top, verdict, drawn, says);
  const say = announcer(el);
  let place, pick, next;

  const read = () => {
    state = model.get("state");
    reach = reaching(state);
    const unit = stretched(reach, soft(state), -1, 1);
    next = button("Next release", step);
    place = slider({ label: "Thread A begins", min: -1, max: 1, steps: 600, value: 0,
      words: (t) => later(rounded(unit.back(t))), change: (t) => set({ offset: rounded(unit.back(t)) }, false) });
    const plain = place.set;
    place.set = (ns) => plain(unit(ns));
    pick = menu({ label: "Way to release", options: state.ways.map(({ name }, i) => [String(i), name]), value: String(now.way), change: (i) => go(Number(i), true) });
    top.replaceChildren(place.element, h("div", { class: "rl-row" }, pick.element, next));
  };
  const set = (change, slid = true) => {
    Object.assign(now, change);
    now.offset = clamp(now.offset, -reach, reach);
    if (slid) place.set(now.offset);
    show();
  };
  const go = (way, asked) => {
    pick.set(String(way));
    set({ way, asked, shown: 0, offset: rounded(state.ways[way].cuts[9]) });
  };
  const step = () => {
    const { cuts } = state.ways[now.way];
    const k = now.shown;
    if (k < cuts.length) set({ asked: true, shown: k + 1, offset: release(cuts, k) });
  };
  const ask = redraw(drawn, (width) => {
    axis = stretched(reach, soft(state), SIDE, width - SIDE);
    drawn.replaceChildren(picture(width, axis, reach, now, state));
  });
  const show = () => {
    ask();
    const { both, width, A, B } = windows(now.offset, state.band);
    const { point: [at, hits, rounds, rate, low, high], scanned } = nearest(state.points, now.offset);
    const way = state.ways[now.way];
    const went = Array.from({ length: now.shown }, (_, k) => release(way.cuts, k));
    const landed = went.filter((ns) => windows(ns, state.band).both).length;
    const all = now.shown === way.cuts.length;
    next.setAttribute("aria-disabled", all); // and not `disabled`: it keeps the focus
    const gap = (Math.abs(A[0] - B[0]) - width) / width;
    verdict.classList.toggle("rl-sc-bad", Boolean(both));
    verdict.textContent = judged(both, gap, hits, state.failure);
    const rows = [
      ["In the scan", `${scanned ? `At ${signed(at)}` : `No point so far out. At the last, ${signed(at)}`}, ${count(hits)} of ${count(rounds)} rounds failed: ${rated(rate)} (${rated(low)} to ${rated(high)}).`],
      [way.name, now.asked
        ? `Inside the band: ${inside(way)}. Median ${way.median}.${way.before ? ` Recorded: ${inside(way.before)}, median ${way.before.median}.` : ""}${now.shown ? ` Of ${now.shown} shown, ${landed} inside${all ? "; that is all" : ""}.` : ""}`
        : `Median ${way.median}. How many of its releases are inside the band? Guess, and press Next release.`],
    ];
    says.replaceChildren(...rows.map(([term, text]) => h("div", {}, h("dt", {}, term), h("dd", {}, text))));
    say(`A ${later(now.offset)}. ${verdict.textContent} ${rows[0][1]}${now.shown ? ` ${way.name}: of ${now.shown} shown, ${landed} inside the band${all ? ", and that is all" : ""}.` : ""}`);
  };

  // A tap or a drag; on a phone a stroke up or down still scrolls the page.
  let moved = null;
  let from;
  const to = (event) => set({ offset: rounded(axis.back(event.clientX - drawn.getBoundingClientRect().left)) });
  drawn.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    [moved, from] = [false, event.clientX];
    drawn.setPointerCapture(event.pointerId);
  });
  drawn.addEventListener("pointermove", (event) => {
    if (moved === null || (!moved && Math.abs(event.clientX - from) < 4)) return;
    moved = true;
    to(event);
  });
  drawn.addEventListener("pointerup", (event) => {
    const row = Math.floor((event.clientY - drawn.getBoundingClientRect().top - TALL.lanes - TALL.peak - TALL.axis) / TALL.row);
    if (moved === false && state.ways[row] && row !== now.way) {
      pick.set(String(row));
      Object.assign(now, { way: row, shown: 0, asked: true });
    }
    if (moved !== null) to(event);
    moved = null;
  });
  drawn.addEventListener("pointercancel", () => { moved = null; });

  const link = shared(el, () => `${now.offset}_${now.shown}_${state.ways[now.way].name}`, (text) => {
    const wanted = parsed(text, state, reach);
    pick.set(String(wanted.way));
    set({ ...wanted, asked: true });
  }, say);
  if (link) el.insertBefore(h("div", { class: "rl-row" }, link), el.lastChild);
  read();
  go(state.way, false);
  model.on("change:state", () => {
    read();
    go(Math.min(now.way, state.ways.length - 1), true);
  });
};

const soft = ({ band: [low, high] }) => (high - low) / 8;

/** Lanes, peak, axis, ways: one below the other, with the band and A's place through all of them. */
const picture = (width, x, reach, now, { points, band, ways, window: inWindow }) => {
  const narrow = width < 480;
  const foot = TALL.lanes + TALL.peak;
  const first = foot + TALL.axis;
  const height = first + TALL.row * ways.length + 4;
  const most = Math.max(...points.map(([, , , , , high]) => high));
  const y = (rate) => foot - (rate / most) * (TALL.peak - 34);
  const { A, B, both } = windows(now.offset, band);
  const at = x(now.offset);
  const { point, scanned } = nearest(points, now.offset);
  const box = ([from, to], top, fill, stroke) => s("rect", { x: x(from), y: top, width: Math.max(3, x(to) - x(from)), height: 20, rx: 2, fill: `var(--${fill})`, stroke: `var(--${stroke})` });
  const lane = (letter, top, span) => [
    s("line", { class: "axis", x1: SIDE, x2: width - SIDE, y1: top + 10, y2: top + 10 }),
    s("text", { x: 0, y: top + 14, class: "rl-sc-name", text: letter }),
    box(span, top, both ? "broken-tint" : "accent-tint", both ? "broken" : "accent"),
    both && box(both, top, "broken", "broken")];
  const dots = (cuts) => cuts.flatMap((ns) => [x(-ns), x(ns)]);
  const bars = (bins, n, foot) => {
    const held = seen(columns(bins, x, reach, BAR), n);
    const most = Math.max(...held.map(([, n]) => n));
    const tall = (n) => Math.max(0.7, (n / most) * 17).toFixed(1);
    return held.map(([k, n]) => `M${k * BAR},${foot}v-${tall(n)}h${BAR}v${tall(n)}z`).join("");
  };
  const spots = (xs, y) => xs.map((px) => `M${px.toFixed(1)},${y}h0`).join("");
  return s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `A begins ${later(now.offset)}; the windows ${both ? "overlap" : "do not meet"}. The peak is ${apart(band[1] - band[0])} wide. ${ways.map(({ name, median }) => `${name}: median ${median}`).join("; ")}.` },
    s("rect", { x: x(band[0]), width: x(band[1]) - x(band[0]), y: TALL.lanes - 4, height: height - TALL.lanes + 4, fill: "var(--broken-tint)" }),
    marks(reach, width).map((ns) => [
      s("line", { class: "grid", x1: x(ns), x2: x(ns), y1: foot, y2: height }),
      s("text", { x: clamp(x(ns), 18, width - 18), y: foot + 18, "text-anchor": "middle", class: "quiet", text: signed(ns) })]),
    lane("A", 24, A), lane("B", 24 + TALL.lane, B),
    s("text", { x: x(B[1]) + 7, y: 50 + TALL.lane, class: "quiet", text: narrow ? "window" : `window: ${inWindow}` }),
    s("line", { class: "rl-sc-at", x1: at, x2: at, y1: 20, y2: height }),
    s("text", { x: 0, y: TALL.lanes + 12, class: "quiet", text: narrow ? "hit rate" : "hit rate in the scan" }),
    [most / 2, most].map((rate) => s("text", { x: 0, y: y(rate) + 4, class: "quiet", text: `${Math.round(100 * rate)} %` })).slice(narrow ? 1 : 0),
    s("line", { class: "axis", x1: SIDE, x2: width - SIDE, y1: foot, y2: foot }),
    s("path", { class: "rl-sc-range", d: points.map(([ns, , , , low, high]) => `M${x(ns)},${y(low)}V${y(high)}`).join("") }),
    s("polyline", { points: points.map(([ns, , , rate]) => `${x(ns).toFixed(1)},${y(rate).toFixed(1)}`).join(" "), fill: "none", stroke: "var(--broken)", "stroke-width": 2 }),
    s("path", { class: "rl-sc-point", d: points.map(([ns, , , rate]) => `M${x(ns)},${y(rate)}h0`).join("") }),
    scanned && s("circle", { cx: x(point[0]), cy: y(point[3]), r: 7, fill: "var(--broken)", stroke: "var(--paper)", "stroke-width": 2 }),
    // In the peak it stands above it, elsewhere on the side that the curve falls to: it covers no part of the curve.
    scanned && s("text", { class: "rl-sc-rate", text: rated(point[3]), ...(both
      ? { x: x(point[0]), y: TALL.lanes + 25, "text-anchor": "middle" }
      : { x: x(point[0]) + (now.offset < 0 ? -11 : 11), y: Math.min(y(point[3]) - 5, foot - 12), "text-anchor": now.offset < 0 ? "end" : "start" }) }),
    s("text", { x: width / 2, y: foot + 37, "text-anchor": "middle", class: "quiet", text: narrow ? "A so much later than B (left of 0: earlier)" : "A begins so much later than B (left of 0: earlier)" }),
    ways.map(({ name, n, cuts, bins, before }, i) => {
      const top = first + TALL.row * i;
      const mine = i === now.way;
      return s("g", { class: mine ? "rl-sc-mine" : "rl-sc-way" },
        s("text", { x: 0, y: top + 12, text: `${mine ? "▸ " : ""}${name}` }),
        before && [-1, 1].map((side) => [
          s("line", { class: "rl-sc-before", x1: x(side * before.cuts[0]), x2: x(side * before.cuts.at(-1)), y1: top + 38, y2: top + 38 }),
          s("line", { class: "rl-sc-before", x1: x(side * before.cuts[9]), x2: x(side * before.cuts[9]), y1: top + 34, y2: top + 42 })]),
        bins ? s("path", { class: "rl-sc-bars", d: bars(bins, n, top + 34) }) : s("path", { class: "rl-sc-dots", d: spots(dots(cuts), top + 38) }),
        mine && now.shown > 0 && s("path", { class: "rl-sc-went", d: spots(Array.from({ length: now.shown }, (_, k) => x(release(cuts, k))), top + 38) }));
    }),
    s("circle", { cx: at, cy: 11, r: 9, fill: "var(--paper)", stroke: both ? "var(--broken)" : "var(--accent)", "stroke-width": 2.5 }),
    s("path", { class: "rl-sc-grip", d: `M${at - 5},11l3,-3m-3,3l3,3M${at + 5},11l-3,-3m3,3l-3,3` }));
};

export default { render };
