// Who goes next? Threads step by step, in the order that the reader chooses, and in all orders.
// What they do is said by `ext/<slug>/steps.js`, as CONTRIBUTING.md describes. A state is plain data.
import { announcer, button, choice, count, h, percent, redraw, s, shared } from "./base.js";

const NAMES = "ABC";

// What steps may use. Objects are { refs, ... }, pointers { to: name or null }, locks { lock: thread or null }.
const tools = (variant, st) => ({
  incref: (p) => { if (p.to) st.s[p.to].refs += 1; },
  decref: (p) => {
    const object = st.s[p.to];
    if (object.freed) st.end = "crash(SIGSEGV)"; // undefined behaviour; here it ends the process
    object.refs -= 1;
    object.freed ||= object.refs === 0;
  },
  make: (name, fields) => { st.s[name] = { refs: 1, ...fields }; return { to: name }; },
  /** Whether all others are paused, detached or done. */
  stopped: (me) => st.t.every((t, i) => {
    const { done, blocked, native } = NAMES[i] === me || t.off ? { done: true } : turn(variant, st, i);
    return done || (blocked && !native);
  }),
});

export const start = (variant) => structuredClone({
  s: variant.shared,
  t: variant.threads.map(({ own = {} }) => ({ pc: 0, own, sec: [], off: false, waits: "" })),
  end: null,
});

const asked = (st) => (st.s.world ?? "runs") !== "runs";
const locks = (wanted, own) => [typeof wanted === "function" ? wanted(own) : wanted ?? []].flat();
const hold = (st, names, who) => names.forEach((name) => { st.s[name].lock = who; });
const resume = (st, i) => {
  const top = st.t[i].sec.at(-1);
  if (top) hold(st, top.of, NAMES[i]);
  if (top) top.on = true;
};
const suspend = (st, i, waits = "") => {
  st.t[i].waits = waits;
  for (const one of st.t[i].sec) {
    if (one.on) hold(st, one.of, null);
    one.on = false;
  }
};

/**
 * What a thread would do next: `{ done }`, `{ blocked: why, native }`, or `{ go: (state) => void, note }`. As in CPython
 * 3.13, who detaches or sleeps gives up its sections, and takes the innermost one again before it goes on.
 */
export const turn = (variant, st, i) => {
  const t = st.t[i];
  const step = variant.threads[i].steps[t.pc];
  if (!step) return { done: true };
  const top = t.sec.at(-1);
  const again = top && !top.on && (step.attach || !(t.off || t.waits));
  if (asked(st) && (step.attach || (step.safe && !t.off))) return { blocked: "paused: the world is to stop" };
  const names = again ? top.of : locks(step.lock ?? step.enter ?? step.section, t.own);
  const others = names.filter((name) => st.s[name].lock).join(", ");
  if (t.waits === "queues") return { note: "goes to sleep, and gives up its sections", go: (x) => suspend(x, i, "asleep") };
  if (others && !again && !step.native && t.sec.some(({ on }) => on)) {
    return { note: `finds ${others} taken, and queues`, go: (x) => { x.t[i].waits = "queues"; } };
  }
  if (others) return { blocked: `waits for ${others}${step.native && !t.off ? ", attached" : ""}`, native: step.native };
  if (again && !step.attach) return { note: `takes ${names} again`, go: (x) => resume(x, i) };
  if (step.when && !step.when(st.s, t.own, NAMES[i], tools(variant, st))) return { blocked: step.waits };
  return { note: step.note, go: (x) => act(variant, x, i, step, names) };
};

const act = (variant, st, i, step, names) => {
  const t = st.t[i];
  t.waits = "";
  if (!step.section) hold(st, names, NAMES[i]);
  if (step.enter) t.sec.push({ of: names, on: true });
  hold(st, locks(step.unlock, t.own), null);
  if (step.leave) hold(st, t.sec.pop().of, null);
  if (step.detach) suspend(st, i);
  if (step.attach) resume(st, i);
  t.off = step.detach ?? (t.off && !step.attach);
  const next = step.run?.(st.s, t.own, NAMES[i], tools(variant, st)) ?? {};
  const { steps } = variant.threads[i];
  t.pc = next.end ? steps.length : next.goto ? steps.findIndex(({ mark }) => mark === next.goto) : t.pc + 1;
};

/** The state after one more step of thread i; the one before stays as it is. */
export const advance = (variant, before, i) => {
  const st = structuredClone(before);
  const { go } = turn(variant, st, i);
  if (!go || st.end) throw new RangeError(`${NAMES[i]} cannot go on`);
  go(st);
  return st;
};

/** What came out, or null while somebody can go on. */
export const ending = (variant, st) => {
  const turns = st.t.map((_, i) => turn(variant, st, i));
  if (st.end || turns.some(({ go }) => go)) return st.end;
  return turns.every(({ done }) => done) ? variant.outcome(st.s, st.t.map(({ own }) => own)) : "hang";
};

/** The states along a schedule such as "ABBA". */
export const play = (variant, schedule) => {
  const states = [start(variant)];
  for (const letter of schedule) states.push(advance(variant, states.at(-1), NAMES.indexOf(letter)));
  return states;
};

/** All schedules: how many end how, and for each ending one that is short and changes threads seldom. */
export const enumerate = (variant) => {
  const known = new Map();
  const visit = (st, last) => {
    const key = last + JSON.stringify(st);
    if (known.get(key) === null) throw new RangeError("the steps go round in a circle");
    if (known.has(key)) return known.get(key);
    known.set(key, null);
    const found = new Map();
    const label = ending(variant, st);
    if (label !== null) found.set(label, { n: 1n, cost: 0, shortest: "" });
    else st.t.forEach((_, i) => {
      if (!turn(variant, st, i).go) return;
      for (const [ends, one] of visit(advance(variant, st, i), NAMES[i])) {
        const old = found.get(ends) ?? { n: 0n, cost: Infinity };
        const cost = one.cost + (NAMES[i] === last ? 1000 : 1001);
        found.set(ends, { ...(cost < old.cost ? { cost, shortest: NAMES[i] + one.shortest } : old), n: old.n + one.n });
      }
    });
    known.set(key, found);
    return found;
  };
  const outcomes = visit(start(variant), "");
  return { total: [...outcomes.values()].reduce((sum, { n }) => sum + n, 0n), outcomes, states: known.size };
};

const isBox = (x) => typeof x === "object" && !("lock" in x) && !("to" in x);
const inside = ({ refs, freed, ...fields }) => Object.values(fields).join(" ");
const value = (x) => typeof x !== "object" ? String(x) : "lock" in x ? (x.lock ? `held by ${x.lock}` : "free")
  : "to" in x ? x.to ?? "NULL" : `${inside(x)}${"refs" in x ? `, refs ${x.refs}` : ""}${x.freed ? ", freed" : ""}`;
/** What memory holds: [whose, name, value in words]. */
export const memory = (st) => [["", st.s], ...st.t.map((t, i) => [`${NAMES[i]}'s `, t.own])]
  .flatMap(([who, fields]) => Object.entries(fields).map(([name, x]) => [who, name, value(x)]));
const words = (rows) => rows.map((row) => `${row[0]}${row[1]}: ${row[2]}`).join("; ");
const changes = (before, after) => {
  const old = memory(before).map(String);
  return words(memory(after).filter((row) => !old.includes(String(row))));
};

/** "broken.ABBA" of a link; throws on anything that is no such thing. */
export const parsed = (text, variants, scripts) => {
  const [, name, moves = ""] = /^(\w+)(?:\.([ABC]*))?$/.exec(text) ?? [];
  if (!variants.some(([key]) => key === name)) throw new RangeError(text);
  play(scripts[name], moves);
  return [name, moves];
};

/** The same for a link, with no full stop at its end: mail cuts that off. */
export const written = (name, moves) => name + (moves && `.${moves}`);

const share = (n, all) => `${count(Number(n))} of ${count(Number(all))} (${percent(Number(n) / Number(all))})`;

export const render = async ({ model, el }) => {
  el.classList.add("rl-living");
  let state = model.get("state");
  const address = URL.createObjectURL(new Blob([state.steps], { type: "text/javascript" }));
  const { default: script } = await import(address);
  URL.revokeObjectURL(address);
  let name, variant, moves, at, columns;
  const [bad, why] = [0, 1].map((k) => (label) => (state.grades[label] ?? script.outcomes?.[label] ?? [true, ""])[k]);

  const pick = choice({ label: "Code", options: state.variants, value: "", change: (key) => begin(key, "") });
  const [threads, bar, drawn, counted] = ["threads", "bar", "memory", "counted"].map((of) => h("div", { class: `rl-il-${of}` }));
  const verdict = h("p", {});
  const strip = h("div", { class: "rl-il-strip", role: "group", "aria-label": "Schedule: go to a moment" });
  const undo = button("Undo", () => jump(at - 1), { "aria-keyshortcuts": "u" });
  const reset = button("Reset", () => { moves = ""; jump(0); }, { "aria-keyshortcuts": "r" });
  const tasks = h("div", { class: "rl-row" }, button("Show me a failing schedule", () => failing()), button("Count them all", () => all()));
  const whole = h("label", {}, h("input", { type: "checkbox" }), "All lines"); // for a phone
  el.append(pick.element, whole, threads, bar, tasks, strip, verdict, drawn, counted);
  const say = announcer(el);

  const lines = ({ line }) => [line ?? []].flat().map((n) => [n, state.lines[name][n]]);
  const begin = (key, wanted) => {
    [name, variant, moves, at] = [key, script.variants[key], wanted, wanted.length];
    pick.set(key);
    columns = variant.threads.map(({ call, steps }, i) => {
      const rows = steps.map((step, k) => h("li", {},
        String(step.line) === String(steps[k - 1]?.line) ? null : lines(step).map(([n, text]) => h("code", { "data-n": n }, text.split(/(->)/).map((part, k) => (k % 2 ? h("b", {}, part) : part)))),
        h("span", {}, step.text ?? step.note ?? "")));
      const now = h("span", { class: "rl-il-now" });
      const own = `rl-il-${NAMES[i]}`;
      const go = button([NAMES[i], h("span", {}, " goes next")], () => move(i), { class: own, "aria-keyshortcuts": NAMES[i] });
      return { rows, now, go, element: h("section", { class: own }, h("strong", {}, `${NAMES[i]}: ${call}`), now, h("ol", {}, rows)) };
    });
    threads.replaceChildren(...columns.map(({ element }) => element));
    bar.replaceChildren(...columns.map(({ go }) => go), undo, reset);
    counted.replaceChildren();
    show();
  };
  const states = () => play(variant, moves.slice(0, at));
  const move = (i) => {
    const now = states().at(-1);
    const next = turn(variant, now, i);
    if (!next.go || now.end) return say(`${NAMES[i]} cannot go on: ${next.blocked ?? "it is over"}.`);
    moves = moves.slice(0, at) + NAMES[i];
    at += 1;
    show();
    return say(`${told()} ${verdict.textContent}`);
  };
  /** What the last step was and did. */
  const told = () => {
    const [before, after] = states().slice(-2);
    const i = NAMES.indexOf(moves[at - 1]);
    const step = variant.threads[i].steps[before.t[i].pc];
    return `${NAMES[i]}: ${turn(variant, before, i).note ?? step.text ?? lines(step).map(([n, text]) => `line ${n}, ${text}`).join(" ")} (${changes(before, after) || "nothing changes"}).`;
  };
  const jump = (to) => {
    at = Math.max(to, 0);
    show();
    say(`After ${at} ${at === 1 ? "step" : "steps"}. ${at ? told() : ""} ${verdict.textContent}`);
  };
  const failing = () => {
    const found = [...enumerate(variant).outcomes].filter(([label]) => bad(label)).sort(([, a], [, b]) => a.cost - b.cost)
      .map(([, { shortest }]) => shortest);
    if (!found.length) return say(verdict.textContent = "No schedule of these steps fails.");
    moves = found[(found.indexOf(moves) + 1) % found.length];
    at = moves.length;
    show();
    return say(`${[...moves].join(" ")}. ${verdict.textContent}`);
  };
  const all = () => {
    const { total, outcomes } = enumerate(variant);
    const seen = state.observed[name];
    const labels = [...new Set([...outcomes.keys(), ...Object.keys(seen ?? {})])].sort((a, b) => bad(a) - bad(b));
    const n = (label) => outcomes.get(label)?.n ?? 0n;
    const few = Object.values(seen ?? {}).reduce((sum, times) => sum + times, 0) < 50; // "never" would say too much
    const unseen = (label, of = script.unobserved[name]?.[label]) => (of ? `never: ${of}` : few ? "–" : "never");
    const said = `${share(labels.filter(bad).reduce((sum, label) => sum + n(label), 0n), total)} schedules fail.`;
    counted.replaceChildren(h("table", {},
      h("caption", {}, `${said} Each is counted once; a machine does not choose among them evenly, so this is not a rate.`),
      h("thead", {}, h("tr", {}, ["Outcome", "Schedules", ...(seen ? [state.source[name]] : [])].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, labels.map((label) => h("tr", {}, h("th", { scope: "row" }, `${bad(label) ? "✗" : "✓"} ${label}`), h("td", {}, share(n(label), total)),
        seen ? h("td", {}, seen[label] ? count(seen[label]) : unseen(label)) : null)))));
    say(said);
  };
  const show = () => {
    const past = states();
    const now = past.at(-1);
    const ends = ending(variant, now);
    columns.forEach((column, i) => {
      const { pc, off, sec } = now.t[i];
      const { done, blocked, go } = turn(variant, now, i);
      column.now.textContent = now.end ? "the process is gone" : [done ? "done" : blocked ?? (off ? "detached" : "attached"),
        ...sec.map(({ of, on }) => (on ? `in the section: ${of.join(", ")}` : `section given up: ${of.join(", ")}`))].join("; ");
      column.now.classList.toggle("rl-il-bad", Boolean(now.end || blocked));
      column.go.setAttribute("aria-disabled", String(!go || ends !== null));
      column.rows.forEach((row, k) => {
        row.classList.toggle("rl-il-ran", k !== pc && past.some((st, n) => n < at && moves[n] === NAMES[i] && st.t[i].pc === k));
        row.setAttribute("aria-current", k === pc ? "step" : "false");
      });
    });
    const chosen = strip.contains(document.activeElement);
    strip.replaceChildren(...[...moves].map((letter, k) => button(letter, () => jump(k + 1),
      { class: `rl-il-${letter}`, "aria-label": `step ${k + 1}: ${letter}`, "aria-current": k + 1 === at && "step" })), moves ? "" : "Who is first?");
    if (chosen) strip.children[Math.max(at - 1, 0)]?.focus();
    undo.setAttribute("aria-disabled", String(at === 0));
    reset.setAttribute("aria-disabled", String(!moves));
    verdict.className = ends === null ? "" : `rl-il-${bad(ends) ? "bad" : "good"}`;
    verdict.textContent = ends && `${bad(ends) ? "✗ Broken" : "✓ As it should be"}: ${ends}${why(ends) && ` (${why(ends)})`}.`;
    ask();
  };
  const ask = redraw(drawn, (width) => drawn.replaceChildren(draw(states().at(-1), Math.min(width, 560))));

  el.addEventListener("keydown", (event) => {
    const key = event.key.toUpperCase();
    const does = { U: undo, R: reset }[key] ?? columns.find((_, i) => NAMES[i] === key)?.go;
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    does.click();
    event.preventDefault();
    event.stopPropagation(); // in a notebook these letters are commands
  });
  tasks.append(shared(el, () => written(name, moves.slice(0, at)), (text) => begin(...parsed(text, state.variants, script.variants)), say) ?? "");
  model.on("change:state", () => {
    state = model.get("state");
    if (counted.firstChild) all();
  });
  begin(state.variant, "");
};

/** Names and values on the left, objects on the right, an arrow from each pointer to its object. */
const draw = (st, wide) => {
  const boxes = Object.entries(st.s).filter(([, x]) => isBox(x));
  const x = boxes.length ? wide * 0.62 : Math.min(wide, 280);
  const arrows = {};
  let y = 0;
  const left = [["shared memory", st.s], ...st.t.map((t, i) => [`registers of ${NAMES[i]}`, t.own])].map(([title, fields]) => {
    const rows = Object.entries(fields).filter(([, one]) => !isBox(one));
    if (!rows.length) return null;
    return [[title], ...rows].map(([name, one]) => {
      y += 24;
      if (one?.to) (arrows[one.to] ??= []).push(y - 5);
      const head = one === undefined;
      return [s("text", { x: head ? 0 : 10, y, class: head ? "quiet" : "rl-il-mono", text: name }),
        head ? null : s("text", { x: x - 50, y, "text-anchor": "end", class: "rl-il-mono", text: value(one) })];
    });
  });
  return s("svg", { width: wide, height: Math.max(y, boxes.length * 52) + 12, role: "img", "aria-label": `Memory: ${words(memory(st))}` }, left,
    boxes.map(([name, one], k) => {
      const top = 8 + k * 52;
      const lost = one.refs > 0 && !one.freed && !arrows[name];
      const [fill, stroke] = one.freed || lost ? ["broken-tint", "broken"] : ["surface", "edge"];
      return [(arrows[name] ?? []).map((from) => s("path", { class: "rl-il-arrow",
        d: `M${x - 44},${from} C${x - 15},${from} ${x - 30},${top + 20} ${x - 4},${top + 20} m-7,-5 l7,5 l-7,5` })),
        s("rect", { x, y: top, width: wide - x - 1, height: 44, rx: 5, fill: `var(--${fill})`, stroke: `var(--${stroke})`, "stroke-dasharray": one.freed && "5 4" }),
        s("text", { x: x + 8, y: top + 18, class: "rl-il-mono", text: `${name}: ${inside(one)}` }),
        s("text", { x: x + 8, y: top + 36, text: `${"refs" in one ? `refs ${one.refs}` : ""}${one.freed ? ", freed" : lost ? ", leaked" : ""}` })];
    }));
};

export default { render };
