// The class's page. It asks the server for what is new every two seconds and draws it; whatever learners have
// chosen goes into the page as text, never as markup.

const POLL_MS = 2000;
const STUCK_AFTER_S = 5 * 60;
const STUCK_AFTER_CHECKS = 3;
const FORGOTTEN_AFTER_S = 90 * 60;
const MACHINES = 6; // with a colour and a shape of their own; the others share the seventh
const CHIPS = 6;

const REASONS = {
  compile: "does not compile",
  single: "wrong with one thread",
  trial: "the test takes wrong code for right, or right for wrong",
  race: "fails when raced",
  gil: "turns the GIL on",
  cost: "too dear",
  sanitizer: "ThreadSanitizer objects",
  tampered: "changes the judge",
  "no-power": "the machine shows nothing",
  "no-race-point": "lacks its race point",
  "too-slow": "needs more time",
};

const $ = (id) => document.getElementById(id);
const token = decodeURIComponent(location.hash.slice(1));

const state = {
  class: "", newest: 0, now: 0, address: "",
  names: new Map(), // number of a learner -> name
  left: new Map(), // number of a learner who has left -> when
  results: [],
  subject: "", // "" follows the class
  view: "",
  machine: null, // the one that is looked at
  lost: null, // when the server was last heard
};

// -- Elements ---------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content); // strings become text nodes
  return made;
}

function drawn(name, attributes = {}, ...content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

const who = (name) => element("span", { class: "who", dir: "auto", title: name }, name);
/** A name that may be broken after its underscores, and nowhere else. */
const slug = (name) => element("code", {}, ...name.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]));
/** A command whose words stay whole. */
const command = (text) => element("code", {}, ...text.split(" ").flatMap((word) => [element("span", { class: "word" }, word), " "]));
const many = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

// -- Asking -----------------------------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(path, {
    headers: { Authorization: `Bearer ${token}` }, cache: "no-store", signal: AbortSignal.timeout(8000),
  });
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    throw new Refusal(error ?? `The server answers ${answer.status}.`, answer.status);
  }
  return answer.json();
}

class Refusal extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.final = status === 401; // a wrong token does not become a right one, however often one asks
  }
}

async function poll() {
  let over = false;
  while (!over) {
    try {
      let more = true;
      while (more) {
        if (!state.address) state.address = (await ask("/api/hello")).address;
        const news = await ask(`/api/state?since=${state.newest}`);
        more = take(news);
      }
      say("");
      state.lost = null;
    } catch (error) {
      state.lost ??= new Date();
      const since = state.lost.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      over = error instanceof Refusal && error.final;
      const what = error instanceof Refusal ? error.message : `No connection since ${since}; trying again.`;
      say(over ? `${what} This page asks no more: load it again to try once more.` : what);
    }
    try {
      draw();
    } catch (error) {
      console.error(error); // the next result may be drawn again
    }
    if (!over) await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

/** Keep what is new; true if there is more to ask for. */
function take(news) {
  if (state.class && (news.class !== state.class || news.newest < state.newest)) {
    // Another class at the same address: begin anew.
    Object.assign(state, { class: "", newest: 0, address: "", names: new Map(), left: new Map(), results: [] });
    return true;
  }
  state.class = news.class;
  state.now = news.now;
  for (const [number, name] of Object.entries(news.learners)) state.names.set(Number(number), name);
  state.left = new Map(Object.entries(news.left).map(([number, at]) => [Number(number), at]));
  for (const result of news.results) {
    state.results.push(result);
    state.newest = result.id;
  }
  return state.newest < news.newest;
}

function say(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

// -- What the results say -----------------------------------------------------------------------------------------

/** Learner -> what to call them: of two with one name the second is "Ada (2)". */
function callings() {
  const used = new Map();
  const found = new Map();
  for (const [number, name] of [...state.names].sort((a, b) => a[0] - b[0])) {
    const before = (used.get(name) ?? 0) + 1;
    used.set(name, before);
    found.set(number, before === 1 ? name : `${name} (${before})`);
  }
  return found;
}

function machineOf(result) {
  return `${result.machine}, ${result.cores === 1 ? "1 core" : `${result.cores} cores`}`;
}

/** Machine -> its colour and shape: the most frequent ones have their own. */
function machines() {
  const learners = new Map();
  for (const result of state.results) {
    const name = machineOf(result);
    if (!learners.has(name)) learners.set(name, new Set());
    learners.get(name).add(result.learner);
  }
  // Whoever came first keeps its colour while others arrive, until there are more than colours.
  const order = [...learners.keys()];
  if (order.length > MACHINES + 1) order.sort((a, b) => learners.get(b).size - learners.get(a).size);
  const many = order.length > MACHINES + 1;
  return new Map(order.map((name, i) => [name, many ? Math.min(i, MACHINES) : i]));
}

const keyOf = (r) => JSON.stringify(
  r.kind === "race" ? [r.subject, r.variant, r.threads, r.per, r.widened, r.gil] : [r.subject, r.widened, r.unit],
);

function labelOf(r) {
  const widened = r.widened ? ", widened" : "";
  if (r.kind === "check") return `Exercise ${r.subject}: its starter${widened}`;
  const rounds = r.per && r.unit === "round" ? `, ${many(r.per, "round")} a repetition` : "";
  return `${r.subject}${r.variant ? `, ${r.variant}` : ""}: ${many(r.threads, "thread")}${rounds}`
    + `${r.gil ? ", GIL on" : ""}${widened}`;
}

/** Everything that can be drawn: key, label, the latest result of each learner. */
function subjects() {
  const found = new Map();
  for (const result of state.results) {
    if (result.kind === "check" && !result.power_rounds) continue;
    const key = keyOf(result);
    if (!found.has(key)) found.set(key, { key, label: labelOf(result), kind: result.kind, latest: new Map() });
    const subject = found.get(key);
    subject.unit = result.unit;
    subject.per = result.per;
    subject.newest = result.id;
    subject.latest.set(result.learner, result);
  }
  return [...found.values()].sort((a, b) => b.newest - a.newest);
}

/** What the class is at: the subject of most learners within the last quarter of an hour. */
function followed(all) {
  const recent = (subject) =>
    [...subject.latest.values()].filter((r) => state.now - r.at < 15 * 60).length;
  return [...all].sort((a, b) => recent(b) - recent(a) || b.newest - a.newest)[0];
}

const VIEWS = {
  rate: "rate against --count",
  seen: "seen at least once",
  round: "per round",
};

function viewsOf(subject) {
  if (subject.kind === "check") return ["round"];
  return subject.per ? ["rate", "seen", ...(subject.unit === "round" ? ["round"] : [])] : ["round"];
}

// Intervals come from racelab, with the results: it knows which runs are independent, this page does not.

/** Nothing failed, and this machine would not have shown it: the zero is no bound. */
const inconclusive = (r) => (r.kind === "check" ? r.reason === "no-power" && !r.power_failed : r.inconclusive);

const SCALES = [[1e-4, 1e2, "%"], [1e-7, 1e6, "per million"], [0, 1e9, "per billion"]];

/** A rate as racelab's tables say it, on the scale that suits `reference`; a bound is rounded away from what it claims. */
function rateWords(value, reference, rounding = Math.round) {
  if (value === 0) return "0";
  const [, scale, name] = SCALES.find(([floor]) => reference >= floor);
  return `${digits(value * scale, rounding, name === "%" ? 100 : Infinity)}\u00a0${name}`;
}

/** One decimal from 1 to 100, two significant digits below, and enough of them not to turn 99.99 into 100. */
function digits(value, rounding, top) {
  if (value === top) return String(value);
  const places = decimals(value, top);
  const slack = { ceil: -1e-9, floor: 1e-9, round: 0 }[rounding.name];
  const rounded = rounding(value * 10 ** places + slack) / 10 ** places;
  return rounded.toFixed(rounded < top ? Math.min(places, decimals(rounded, top)) : places);
}

function decimals(value, top) {
  if (value >= top - 0.05 && value < top) return 1 - Math.floor(Math.log10(top - value));
  if (value >= 100) return 0;
  return value >= 1 ? 1 : Math.min(20, 1 - Math.floor(Math.log10(value)));
}

/** The rate k of n and its interval, in words. */
function rateOf(k, n, ends, silent) {
  if (silent) return "inconclusive";
  const [low, high] = ends;
  if (!k) return ends.length ? `below ${rateWords(high, high, Math.ceil)}` : "none failed";
  if (k === n) return ends.length ? `above ${rateWords(low, low, Math.floor)}` : "all failed";
  const said = (value) => rateWords(value, k / n);
  return said(k / n) + (ends.length ? ` (${said(low)} to ${said(high)})` : "");
}

/** What an axis says at a tick. */
function percent(share) {
  if (share === 0) return "0";
  const value = share * 100;
  return `${value >= 0.001 ? Number(value.toPrecision(2)) : value.toExponential(0)}\u00a0%`;
}

function minutes(seconds) {
  const whole = Math.floor(seconds / 60);
  return whole < 1 ? "just now" : whole < 100 ? `${whole} min` : `${Math.round(whole / 60)} h`;
}

// -- The plot -----------------------------------------------------------------------------------------------------

const SHAPES = [
  (r) => drawn("circle", { r }),
  (r) => drawn("rect", { x: -r * 0.9, y: -r * 0.9, width: r * 1.8, height: r * 1.8 }),
  (r) => drawn("path", { d: `M0 ${-r * 1.2}L${r * 1.1} ${r * 0.9}H${-r * 1.1}Z` }),
  (r) => drawn("path", { d: `M0 ${-r * 1.3}L${r * 1.3} 0L0 ${r * 1.3}L${-r * 1.3} 0Z` }),
  (r) => drawn("path", { d: `M0 ${r * 1.2}L${r * 1.1} ${-r * 0.9}H${-r * 1.1}Z` }),
  (r) => drawn("path", { d: `M${-r} ${-r * 0.4}H${-r * 0.4}V${-r}H${r * 0.4}V${-r * 0.4}H${r}V${r * 0.4}H${r * 0.4}V${r}H${-r * 0.4}V${r * 0.4}H${-r}Z` }),
  (r) => drawn("rect", { x: -r * 1.2, y: -r * 0.5, width: r * 2.4, height: r }),
];

function mark(look, radius, hollow, title) {
  const made = SHAPES[look](radius);
  made.setAttribute("class", `dot m${look}${hollow ? " hollow" : ""}`);
  if (title) made.append(drawn("title", {}, title));
  return made;
}

/** The same, hollow and struck through: this machine would show no failure if there were one. */
function struck(look, radius, title) {
  const r = radius * 1.7;
  const made = drawn("g", { class: `dot m${look} hollow struck` }, SHAPES[look](radius), drawn("path", { d: `M${-r} ${r}L${r} ${-r}` }));
  made.append(drawn("title", {}, title));
  return made;
}

const STRUCK = " Struck through: inconclusive, that machine shows nothing.";

class Axes {
  constructor(box, xs, ys) {
    this.rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.width = box.clientWidth;
    this.height = box.clientHeight;
    this.left = this.rem * 4.2;
    this.right = this.width - this.rem * 2.6; // room for marks that stand side by side
    this.top = this.rem * 2.1;
    this.bottom = this.height - this.rem * 3.4;
    this.xs = xs;
    this.ys = ys;
    this.svg = drawn("svg", {
      role: "img", width: this.width, height: this.height, viewBox: `0 0 ${this.width} ${this.height}`,
    });
  }

  x(value) {
    const { low, high } = this.xs;
    return this.left + (Math.log(value / low) / Math.log(high / low)) * (this.right - this.left);
  }

  y(value) {
    const { low, high, log } = this.ys;
    const foot = log ? this.bottom - this.rem * 1.8 : this.bottom; // below it: nothing seen
    if (log && value <= 0) return this.bottom - this.rem * 0.6;
    const share = log ? Math.log(value / low) / Math.log(high / low) : this.ys.bend(value);
    return foot - Math.min(1, Math.max(0, share)) * (foot - this.top);
  }

  frame() {
    const { svg, rem } = this;
    for (const { at, word } of this.ys.ticks) {
      const y = this.y(at);
      svg.append(
        drawn("line", { class: "grid", x1: this.left, x2: this.right, y1: y, y2: y }),
        drawn("text", { x: this.left - rem * 0.5, y: y + rem * 0.3, "text-anchor": "end" }, word),
      );
    }
    for (const { at, word } of this.xs.ticks) {
      const x = this.x(at);
      svg.append(
        drawn("line", { class: "grid", x1: x, x2: x, y1: this.top, y2: this.bottom }),
        drawn("text", { x, y: this.bottom + rem * 1.2, "text-anchor": "middle" }, word),
      );
    }
    svg.append(
      drawn("line", { class: "axis", x1: this.left, x2: this.right, y1: this.bottom, y2: this.bottom }),
      drawn("text", { class: "title", x: this.right, y: this.bottom + rem * 2.7, "text-anchor": "end" }, `${this.xs.title} →`),
      drawn("text", { class: "title", x: 0, y: rem * 0.9 }, `↑ ${this.ys.title}`),
    );
  }
}

function short(n) {
  for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= size) return `${Number((n / size).toPrecision(3))} ${letter}`;
  }
  return String(n);
}

function logTicks(low, high, word, most) {
  const found = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
    for (const m of [1, 2, 5]) found.push([m, Number(`${m}e${e}`)]);
  }
  const inside = found.filter(([, at]) => at >= low * 0.999 && at <= high * 1.001);
  const decades = inside.filter(([m]) => m === 1);
  const all = inside.length <= most ? inside : decades;
  const step = Math.ceil(all.length / most);
  return all.filter((_, i) => i % step === 0).map(([, at]) => ({ at, word: word(at) }));
}

/** Ends of a logarithmic axis, with a little room, so that no mark sits on its end. */
function span(values, least) {
  const low = Math.min(...values);
  const high = Math.max(...values, low * least);
  return { low, high: high * 1.15 };
}

function drawPlot(subject, view, looks, calling) {
  const box = $("plot");
  const rows = [...subject.latest.values()].sort((a, b) => a.id - b.id);
  const narrow = box.clientWidth < 560;
  const most = narrow ? 5 : 9;
  const { xs, ys } = (view === "round" ? perRound : perCount)(rows, subject, view, most);
  const axes = new Axes(box, xs, ys);
  axes.frame();
  const radius = axes.rem * (rows.length > 30 || narrow ? 0.32 : 0.42);
  const plot = { rows, axes, radius, looks, calling, away: (row) => away(row, looks) };
  const said = { rate: drawRates, seen: drawSeen, round: drawRounds }[view](plot, subject);
  axes.svg.setAttribute("aria-label", `${subject.label}, ${VIEWS[view]}. ${said.text}`);
  box.replaceChildren(axes.svg);
  $("caption").textContent = said.text;
  drawNumbers(said.head, said.table);
}

const away = (row, looks) => state.machine !== null && looks.get(machineOf(row)) !== state.machine;

function perCount(rows, _subject, view, most) {
  const { low, high } = span([1, ...rows.map((r) => r.repetitions)], 10);
  const rate = view === "rate";
  // Rates are drawn by their square roots: there is room for small ones, and 0 and 1 are still there.
  const shares = rate ? [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1] : [0, 0.25, 0.5, 0.75, 1];
  const ticks = shares.map((at) => ({ at, word: `${at * 100} %` }));
  return {
    xs: { low, high, title: "repetitions (racelab --count)", ticks: logTicks(low, high, short, most) },
    ys: {
      log: false, ticks, bend: rate ? Math.sqrt : (share) => share,
      title: rate ? "repetitions that failed" : "learners who have seen it fail",
    },
  };
}

const counted = (r) => (r.kind === "check" ? [r.power_failed, r.power_rounds] : [r.failed, r.rounds]);

function perRound(rows, subject, _view, most) {
  const { low, high } = span(rows.map((r) => counted(r)[1]), 10);
  const rates = rows.flatMap((row) => {
    const [k, n] = counted(row);
    return k ? [Math.max(row.interval[0] ?? 0, k / n / 10)] : n ? [1 / n] : [];
  });
  const floor = 10 ** Math.floor(Math.log10(Math.min(...rates, 0.1)));
  const ticks = logTicks(floor, 1, percent, 7);
  return {
    xs: { low: low / 1.4, high, title: `${subject.unit}s that were run`, ticks: logTicks(low / 1.4, high, short, most) },
    ys: { low: floor, high: 1, log: true, ticks: [...ticks, { at: 0, word: "none" }], title: `failures per ${subject.unit}` },
  };
}

function put(axes, shape, x, y, hidden) {
  shape.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  if (hidden) shape.classList.add("away");
  axes.svg.append(shape);
}

/** Row -> how far its mark is moved, so that those who ran the same number stand side by side, machine by machine. */
function sideBySide(rows, looks, axes, radius, size) {
  const columns = new Map();
  for (const row of rows) {
    const at = Math.round(axes.x(size(row)) / radius);
    if (!columns.has(at)) columns.set(at, []);
    columns.get(at).push(row);
  }
  const moved = new Map();
  for (const column of columns.values()) {
    column.sort((a, b) => looks.get(machineOf(a)) - looks.get(machineOf(b)) || a.id - b.id);
    const step = Math.min(radius * 2.2, (axes.rem * 5) / column.length);
    column.forEach((row, i) => moved.set(row, (i - (column.length - 1) / 2) * step));
  }
  return (row) => axes.x(size(row)) + moved.get(row);
}

function line(axes, x, low, high, look, hidden) {
  axes.svg.append(drawn("line", {
    class: `range m${look}${hidden ? " away" : ""}`, x1: x, x2: x, y1: axes.y(low), y2: axes.y(high),
  }));
}

/** Each learner's rate so far, from the first repetition to the last; where it ends, a mark and its interval. */
function drawRates({ rows, axes, radius, looks, calling, away }) {
  const table = [];
  for (const row of rows) {
    const look = looks.get(machineOf(row));
    const d = row.points.map(([n, k], i) => `${i ? "L" : "M"}${axes.x(n).toFixed(1)} ${axes.y(k / n).toFixed(1)}`);
    const path = drawn("path", { class: `path m${look}${away(row) ? " away" : ""}`, d: d.join("") });
    axes.svg.append(path);
  }
  const place = sideBySide(rows, looks, axes, radius, (row) => row.repetitions);
  for (const row of rows) {
    const [k, n] = [row.failed_repetitions, row.repetitions];
    const look = looks.get(machineOf(row));
    const silent = inconclusive(row);
    const [low, high] = row.repetition_interval;
    if (high !== undefined && !silent) line(axes, place(row), low, high, look, away(row));
    const text = `${calling(row)}: ${k} of ${n} repetitions failed${silent ? ", inconclusive" : ""}`;
    const shape = silent ? struck(look, radius, text) : mark(look, radius, k === 0, text);
    put(axes, shape, place(row), axes.y(k / n), away(row));
    table.push([calling(row), rateOf(k, n, row.repetition_interval, silent), k, n, machineOf(row)]);
  }
  return {
    text: "A line is one learner's rate so far; it ends in a mark, with its 95 % interval. Hollow: no failure seen."
      + (rows.some(inconclusive) ? STRUCK : ""),
    head: ["Learner", "Rate, 95 %", "Failed", "Repetitions", "Machine"],
    table,
  };
}

/** How many have seen it fail at least once by then (Kaplan and Meier: some ran less), and what the class's rate predicts. */
function drawSeen({ rows, axes, radius, looks, calling, away }) {
  // A machine that cannot show a failure says nothing about when one is seen.
  const telling = rows.filter((r) => !inconclusive(r));
  const failed = telling.reduce((sum, r) => sum + r.failed_repetitions, 0);
  const runs = telling.reduce((sum, r) => sum + r.repetitions, 0);
  const p = failed / runs;
  const end = Math.max(...rows.map((r) => r.repetitions));
  const expected = [];
  for (let i = 0; i <= 80; i += 1) {
    const n = end ** (i / 80);
    expected.push(`${i ? "L" : "M"}${axes.x(n).toFixed(1)} ${axes.y(1 - (1 - p) ** n).toFixed(1)}`);
  }
  const steps = [];
  const marks = [];
  let unseen = 1;
  const order = [...rows].sort((a, b) => (a.first || a.repetitions + 0.5) - (b.first || b.repetitions + 0.5));
  let atRisk = telling.length;
  let last = axes.y(0);
  steps.push(`M${axes.x(1)} ${last}`);
  for (const row of order) {
    const at = axes.x(row.first || row.repetitions);
    if (row.first && !inconclusive(row)) {
      unseen *= 1 - 1 / atRisk;
      steps.push(`L${at.toFixed(1)} ${last.toFixed(1)}`);
      last = axes.y(1 - unseen);
      steps.push(`L${at.toFixed(1)} ${last.toFixed(1)}`);
    }
    marks.push([row, at, last]);
    if (!inconclusive(row)) atRisk -= 1;
  }
  steps.push(`L${axes.x(end).toFixed(1)} ${last.toFixed(1)}`);
  if (runs) {
    axes.svg.append(
      drawn("path", { class: "expected", d: expected.join("") }),
      drawn("path", { class: "steps", d: steps.join("") }),
    );
  }
  for (const [row, x, y] of marks) {
    const silent = inconclusive(row);
    const look = looks.get(machineOf(row));
    const text = `${calling(row)}: ${row.first ? `first in repetition ${row.first}` : `not in ${many(row.repetitions, "repetition")}`}`;
    const shape = silent ? struck(look, radius, `${text}, inconclusive`) : mark(look, radius, !row.first, text);
    put(axes, shape, x, y, away(row));
  }
  const seen = telling.filter((r) => r.first).length;
  const without = rows.length - telling.length;
  return {
    text: `A mark is one learner, at the repetition that failed first; hollow: none has failed yet. ${seen} of ${telling.length} have seen it. `
      + (runs ? `Dashed: 1 − (1 − p)^N with the class's own p, ${failed.toLocaleString("en")} of ${many(runs, "repetition")}${p ? `, ${rateWords(p, p)}` : ""}.` : "")
      + (without ? `${STRUCK} ${without === 1 ? "It is" : `These ${without} are`} not counted.` : ""),
    head: ["Learner", "First failure", "Repetitions", "Machine"],
    table: rows.map((r) => [calling(r), r.first || (inconclusive(r) ? "inconclusive" : "none yet"), r.repetitions, machineOf(r)]),
  };
}

/** Rates per round against rounds, both logarithmic; who has seen nothing stands at the foot, with a bound. */
function drawRounds({ rows, axes, radius, looks, calling, away }, subject) {
  const table = [];
  const place = sideBySide(rows, looks, axes, radius, (row) => counted(row)[1]);
  for (const row of rows) {
    const [k, n] = counted(row);
    const look = looks.get(machineOf(row));
    const silent = inconclusive(row);
    const [low, high] = row.interval;
    if (high !== undefined && !silent) line(axes, place(row), k ? Math.max(low, axes.ys.low) : 0, high, look, away(row));
    const text = `${calling(row)}: ${k.toLocaleString("en")} of ${many(n, subject.unit)}${silent ? ", inconclusive" : ""}`;
    const shape = silent ? struck(look, radius, text) : mark(look, radius, k === 0, text);
    put(axes, shape, place(row), axes.y(k / n), away(row));
    table.push([calling(row), rateOf(k, n, row.interval, silent), k, n, machineOf(row)]);
  }
  const what = subject.kind === "check" ? "the starter, raced before the learner's answer" : "one learner's race";
  return {
    text: `A mark is ${what}, with its 95 % interval. Hollow, at the foot: no failure seen; the line ends at the bound.`
      + (rows.some(inconclusive) ? STRUCK : ""),
    head: ["Learner", "Rate, 95 %", "Failed", `${subject.unit[0].toUpperCase()}${subject.unit.slice(1)}s`, "Machine"],
    table,
  };
}

function drawNumbers(head, rows) {
  const numeric = (cell) => typeof cell === "number";
  const cell = (name, value, more = {}) =>
    element(name, { ...more, ...(numeric(value) ? { class: "number" } : {}) },
      numeric(value) ? value.toLocaleString("en") : value);
  const table = element("table", {},
    element("thead", {}, element("tr", {},
      ...head.map((text, i) => element("th", { scope: "col", ...(numeric(rows[0]?.[i]) ? { class: "number" } : {}) }, text)))),
    element("tbody", {}, ...rows.map(([name, ...rest]) => element("tr", {},
      element("th", { scope: "row" }, who(name)), ...rest.map((value) => cell("td", value))))));
  $("numbers-scroll").replaceChildren(table);
}

function drawLegend(subject, looks) {
  const groups = new Map();
  for (const row of subject.latest.values()) {
    const look = looks.get(machineOf(row));
    const name = look === MACHINES && [...looks.values()].filter((l) => l === look).length > 1 ? "other machines" : machineOf(row);
    if (!groups.has(look)) groups.set(look, { name, learners: 0 });
    groups.get(look).learners += 1;
  }
  if (state.machine !== null && !groups.has(state.machine)) state.machine = null;
  const items = [...groups].sort((a, b) => a[0] - b[0]).map(([look, { name, learners }]) => {
    const sign = drawn("svg", { width: 18, height: 18, viewBox: "-9 -9 18 18", "aria-hidden": "true" }, mark(look, 6, false, ""));
    const button = element("button", { type: "button", "aria-pressed": String(state.machine === look), "data-look": look },
      sign, element("span", {}, name, " ", element("small", { class: "quiet" }, `× ${learners}`)));
    return element("li", {}, button);
  });
  replace($("legend"), items);
}

/** Put new children in without taking the focus from whoever is at one of them. */
function replace(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.look : null;
  parent.replaceChildren(...children);
  if (focused !== null) parent.querySelector(`[data-look="${CSS.escape(focused)}"]`)?.focus();
}

// -- Exercises ------------------------------------------------------------------------------------------------------

/** Exercise -> learner -> checks, first and last one, and whether one was a PASS. */
function standings() {
  const found = new Map();
  for (const r of state.results) {
    if (r.kind !== "check") continue;
    if (!found.has(r.subject)) found.set(r.subject, new Map());
    const learners = found.get(r.subject);
    if (!learners.has(r.learner)) learners.set(r.learner, { first: r.at, checks: 0, passed: false });
    const one = learners.get(r.learner);
    one.checks += 1;
    one.passed ||= r.verdict === "PASS";
    one.first = Math.min(one.first, r.at);
    one.last = r;
  }
  return found;
}

/** Exercise -> learners who are at it now and have not passed it for some time, the longest first. */
function stuck(all) {
  const current = new Map();
  for (const r of state.results) if (r.kind === "check") current.set(r.learner, r.subject);
  const places = [];
  for (const [subject, learners] of all) {
    const found = [...learners]
      .filter(([learner, one]) => current.get(learner) === subject && !one.passed)
      .map(([learner, one]) => ({
        learner, ...one, gone: state.left.has(learner), since: (state.left.get(learner) ?? state.now) - one.first,
      }))
      .filter((one) => one.since >= STUCK_AFTER_S || one.checks >= STUCK_AFTER_CHECKS)
      .filter((one) => state.now - one.last.at < FORGOTTEN_AFTER_S)
      .sort((a, b) => a.gone - b.gone || b.since - a.since);
    if (found.length) places.push({ subject, found, here: found.filter((one) => !one.gone) });
  }
  return places.sort((a, b) => b.here.length - a.here.length || b.found[0].since - a.found[0].since);
}

function stands(here, all) {
  const gone = all > here ? `${all - here} left the class` : "";
  return [here ? `${here} stuck` : "", gone].filter(Boolean).join(", ");
}

function drawStuck(all, calling) {
  const places = stuck(all);
  if (!places.length) {
    $("stuck").replaceChildren(element("p", { class: "quiet" },
      `Nobody: no one has checked one exercise three times, or for five minutes, without a PASS.`));
    return;
  }
  $("stuck").replaceChildren(...places.map(({ subject, found, here }) => {
    const why = new Map();
    for (const one of here) {
      const reason = REASONS[one.last.reason] ?? one.last.verdict;
      why.set(reason, (why.get(reason) ?? 0) + 1);
    }
    const reasons = [...why].sort((a, b) => b[1] - a[1]).map(([text, n]) => `${many(n, "learner")}: ${text}`).join("; ");
    const clock = (one) => (minutes(one.since) === "just now" ? many(one.checks, "check") : minutes(one.since));
    const chips = found.slice(0, CHIPS).map((one) => element("li", one.gone ? { class: "gone" } : {},
      who(calling(one.last)), element("small", {}, one.gone ? "has left" : clock(one))));
    const rest = found.length - chips.length;
    if (rest > 0) chips.push(element("li", { class: "more" }, `and ${rest} more`));
    const place = element("div", { class: "place" },
      element("h3", {}, slug(subject), element("span", here.length ? {} : { class: "quiet" }, stands(here.length, found.length))));
    if ($("names").checked) place.append(element("ul", {}, ...chips));
    if (here.length) place.append(element("p", {}, reasons));
    return place;
  }));
}

const SAID = [["PASS", "passed"], ["FAIL", "failing"], ["INCONCLUSIVE", "inconclusive"]];

/** Exercises whose names are shown. */
const unfolded = new Set();

function drawProgress(all, called) {
  const everybody = new Set(state.results.map((r) => r.learner));
  const learners = everybody.size;
  if (!all.size) {
    $("progress").replaceChildren(element("p", { class: "quiet" }, "No exercise was checked yet."));
    return;
  }
  const items = [...all].map(([subject, found]) => {
    const groups = new Map(SAID.map(([verdict]) => [verdict, []]));
    for (const [learner, one] of found) groups.get(one.passed ? "PASS" : one.last.verdict).push(called.get(learner));
    const bar = element("span", { class: "bar", "aria-hidden": "true" }, ...SAID.map(([verdict]) => {
      const part = element("span", { class: verdict });
      part.style.width = `${(100 * groups.get(verdict).length) / learners}%`;
      return part;
    }));
    const told = SAID.filter(([verdict]) => groups.get(verdict).length).map(([verdict, word]) => [word, groups.get(verdict)]);
    const words = told.map(([word, names]) => `${names.length} ${word}`).join(", ");
    const row = [element("span", { class: "row" }, slug(subject), element("span", { class: "words" }, words)), bar];
    if (!$("names").checked) return element("li", {}, ...row);
    const rest = [...everybody].filter((learner) => !found.has(learner)).map((learner) => called.get(learner));
    if (rest.length) told.push(["not checked", rest]);
    return element("li", {}, folded(subject, row, told));
  });
  replace($("progress"), [element("ul", {}, ...items)]);
}

/** A row that opens to say who. */
function folded(subject, row, groups) {
  const made = element("details", unfolded.has(subject) ? { open: "" } : {},
    element("summary", { "data-look": `who-${subject}` }, ...row),
    ...groups.map(([word, names]) => element("div", { class: "group" }, element("span", {}, `${word}:`),
      ...names.sort((a, b) => a.localeCompare(b)).map(who))));
  made.addEventListener("toggle", () => unfolded[made.open ? "add" : "delete"](subject));
  return made;
}

// -- All of it ------------------------------------------------------------------------------------------------------

function drawJoin() {
  const local = ["localhost", "127.0.0.1"].includes(location.hostname);
  const base = local && state.address ? state.address : location.origin;
  $("join").replaceChildren(
    element("span", {}, "Take part: "), command(`racelab class join ${base}/#${token} --name YOURS`),
    element("small", {}, "(in a terminal of JupyterLab; in any other, ", command(".venv-ft/bin/racelab"), "…)"),
  );
}

function drawChoice(all, view, views) {
  const options = [["", "Follow the class"], ...all.map((one) => [one.key, one.label])];
  const select = $("subject");
  const now = JSON.stringify(options);
  if (select.dataset.options !== now && document.activeElement !== select) {
    select.dataset.options = now;
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  }
  select.value = state.subject;
  const group = $("views");
  if (group.dataset.views !== views.join()) {
    group.dataset.views = views.join();
    for (const old of group.querySelectorAll("label")) old.remove();
    for (const name of views) {
      group.append(element("label", {}, element("input", { type: "radio", name: "view", value: name }), element("span", {}, VIEWS[name])));
    }
  }
  group.querySelector(`[value="${view}"]`).checked = true;
}

let before = "";

function draw(anyway = false) {
  const minute = Math.floor(state.now / 30);
  const now = JSON.stringify([state.class, state.newest, minute, state.address, [...state.left]]);
  if (now === before && !anyway) return;
  before = now;

  const all = subjects();
  const nobody = !state.results.length;
  document.body.classList.toggle("empty", nobody);
  drawJoin();
  const learners = new Set(state.results.map((r) => r.learner)).size;
  $("count").textContent = nobody ? "" : `${many(learners, "learner")}, ${many(state.results.length, "result")}, self-reported`;
  if (nobody || !all.length) {
    $("plot").replaceChildren(element("div", { class: "nothing" },
      element("p", {}, nobody ? "Nobody has handed anything in yet." : "Nothing was raced yet."),
      element("p", {}, "For one plot of everybody: ", command("racelab race lost_update --rounds 1 --count 100"))));
    $("plot-title").textContent = "Failure rates";
    $("legend").replaceChildren();
    $("caption").textContent = "";
    $("choice").hidden = $("numbers").hidden = true;
  } else {
    $("choice").hidden = $("numbers").hidden = false;
    const subject = all.find((one) => one.key === state.subject) ?? followed(all);
    const view = viewsOf(subject).includes(state.view) ? state.view : viewsOf(subject)[0];
    const looks = machines();
    const called = callings();
    const calling = (row) => ($("names").checked ? called.get(row.learner) : "a learner");
    drawChoice(all, view, viewsOf(subject));
    $("plot-title").textContent = subject.label;
    drawLegend(subject, looks);
    try {
      drawPlot(subject, view, looks, calling);
    } catch (error) {
      console.error(error); // who is stuck is shown all the same
    }
  }
  const called = callings();
  const found = standings();
  drawStuck(found, (row) => called.get(row.learner));
  drawProgress(found, called);
}

// -- The reader's choices ---------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const chosen = localStorage.getItem("racelab-class-theme");
  const theme = chosen ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

$("theme").addEventListener("click", () => {
  const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  // Back to what the system says: then follow it again.
  if (other === (dark.matches ? "dark" : "light")) localStorage.removeItem("racelab-class-theme");
  else localStorage.setItem("racelab-class-theme", other);
  paint();
});
dark.addEventListener("change", paint);
$("subject").addEventListener("change", (event) => { state.subject = event.target.value; draw(true); });
$("views").addEventListener("change", (event) => { state.view = event.target.value; draw(true); });
$("choice").addEventListener("submit", (event) => event.preventDefault());
$("names").addEventListener("change", () => draw(true));
$("legend").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const look = Number(button.dataset.look);
  state.machine = state.machine === look ? null : look;
  draw(true);
});
addEventListener("hashchange", () => location.reload());
new ResizeObserver(() => draw(true)).observe($("plot"));
paint();

if (token) {
  poll();
} else {
  document.body.classList.add("empty");
  say("The link is not whole: take it as `racelab class serve` printed it, with what is behind #.");
}
