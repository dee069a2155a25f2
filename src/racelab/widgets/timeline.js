// What each thread did, and when: a recorded trace, and a cursor that says who waits for whom.
// Times: µs since the trace began; a span is [thread, state, start, end, call], an event [label, thread, start, end].
import { announcer, button, choice, clamp, h, redraw, s, scale, shared, significant, slider, unique } from "./base.js";

const LEAST = 500; // µs that are shown at least
const LOOKS = { attached: [], detached: [], waiting: ["broken", "M0,7 l7,-7"], stopped: ["quiet", "M0,7 l7,-7 M0,0 l7,7"] };

export const time = (us) => (us < 1000 ? `${Math.round(us)}\u00a0µs` : `${us < 1e5 ? significant(us / 1000, 3) : Math.round(us / 1000)}\u00a0ms`);

/** For each thread the span it is in at this time, or undefined: between two of them. */
export const at = (trace, t) => trace.threads.map((_, i) => trace.spans.find(([who, , from, to]) => who === i && from <= t && t < to));
const eventAt = (trace, t) => trace.events.find(([, , from, to]) => from <= t && t < to);
/** When somebody's state changes, in order. */
export const changes = (trace) => [...new Set(trace.spans.flatMap(([, , from, to]) => [from, to]))].sort((a, b) => a - b);
export const next = (trace, t, forward) => {
  const all = changes(trace);
  return forward ? all.find((x) => x > t + 1) ?? all.at(-1) : all.findLast((x) => x < t - 1) ?? all[0];
};

const typed = ({ ctrlKey, metaKey, altKey }) => !(ctrlKey || metaKey || altKey);
const named = (name) => (/^[a-z]+$/.test(name) ? `the ${name}` : name);
const list = (names) => names.map(named).join(", ").replace(/, (?=[^,]*$)/, " and ");
const upper = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
const verb = (names, one, many) => (names.length > 1 ? many : one);

/** What a thread does at this time, in this span or in none. */
export const doing = (trace, span, thread, t) => {
  if (!span) {
    const own = trace.spans.filter(([who]) => who === thread);
    return own.every(([, , from]) => from > t) ? "not begun yet" : own.some(([, , from]) => from > t) ? "between two calls" : "done";
  }
  const [, state, , , call] = span;
  if (state === "waiting" && trace.gil) return "waiting for the GIL";
  return call ? `${state}, in ${call}` : state === "attached" ? "attached, runs Python" : state;
};

/** Who waits for whom: [whether somebody is held up by a thread that need not be attached, in words]. */
export const waits = (trace, t) => {
  const now = at(trace, t);
  const those = (test) => trace.threads.filter((_, i) => now[i] && test(now[i], i));
  const event = eventAt(trace, t);
  const still = those(([, state]) => state === "stopped");
  const waiting = those(([, state]) => state === "waiting");
  if (trace.gil) {
    if (!waiting.length) return [false, "Nobody waits."];
    // Where two seem to have it, it has just gone from one to the other.
    const owner = now.filter((span) => span?.[1] === "attached").sort((a, b) => b[2] - a[2])[0];
    return [true, `${upper(list(waiting))} ${verb(waiting, "waits", "wait")} for the GIL. ${owner
      ? `${upper(named(trace.threads[owner[0]]))} has it${owner[4] ? `, in ${owner[4]}` : ""}` : "It is changing hands"}.`];
  }
  const asks = event && trace.threads[event[1]];
  const inC = those(([, state, , , call], i) => state === "attached" && call && i !== event?.[1]);
  const stand = `${upper(list(still))} ${verb(still, "stands", "stand")} still`;
  if (asks && inC.length && (still.length || waiting.includes(asks))) {
    const calls = [...new Set(inC.map((name) => now[trace.threads.indexOf(name)][4]))].join(" and ");
    return [true, `${upper(named(asks))} wants the world to stop, and waits for ${list(inC)}: attached, in ${calls}.${still.length ? ` ${stand} all the while.` : ""}`];
  }
  const works = asks && `${named(asks)} works${waiting.includes(asks) ? " or waits" : ""}`;
  if (!still.length) return [false, works ? `${upper(works)}; nobody stands still for it.` : "Nobody waits."];
  if (!works) return [false, `${stand}, but nobody collects now: a collection is near, or the machine busy.`];
  const off = those(([, state]) => state === "detached");
  return [false, `${stand}, and ${works}.${off.length ? ` ${upper(list(off))} ${verb(off, "is", "are")} detached, and need${verb(off, "s", "")} no stopping.` : ""}`];
};

/** Where a reader begins: in the middle of the longest wait. */
export const opening = (trace) => {
  const middle = ([, , from, to]) => (from + to) / 2;
  const held = trace.spans.filter((span) => /waiting|stopped/.test(span[1]) && (trace.gil || eventAt(trace, middle(span))))
    .sort((a, b) => b[3] - b[2] - a[3] + a[2]);
  const one = held.find((span) => waits(trace, middle(span))[0]) ?? held[0];
  return Math.round(one ? middle(one) : trace.events.length ? middle(trace.events[0]) : trace.end / 2);
};

/** The window [from, to] with so much of the trace in it, `t` staying where it is. */
export const zoomed = ([from, to], shown, t, end) => {
  const wide = clamp(shown, Math.min(LEAST, end), end);
  const left = clamp(t - ((t - from) / (to - from)) * wide, 0, end - wide);
  return [left, left + wide];
};
/** The window moved, so that `t` is in it. */
export const followed = ([from, to], t, end) => {
  if (t >= from && t <= to) return [from, to];
  const left = clamp(t - (to - from) * (t < from ? 0.2 : 0.8), 0, end - (to - from));
  return [left, left + to - from];
};

/** "name.t.from.to" of a link; throws on anything else. */
export const parsed = (text, names, end) => {
  const [, name, ...rest] = /^(.+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  const [t, from, to] = rest.map(Number);
  if (!names.includes(name) || !(from <= t && t <= to && to <= end && to - from >= Math.min(LEAST, end))) throw new RangeError(text);
  return { name, t, window: [from, to] };
};

/** Round numbers for an axis. */
export const ticks = (from, to, wide, px = 60) => {
  const least = ((to - from) * px) / wide;
  const ten = 10 ** Math.floor(Math.log10(least));
  const step = ten * [1, 2, 5, 10].find((m) => m * ten >= least);
  return Array.from({ length: Math.floor(to / step) - Math.ceil(from / step) + 1 }, (_, i) => (Math.ceil(from / step) + i) * step);
};

export const render = ({ model, el }) => {
  el.classList.add("rl-living");
  let state, trace, end, t, shown, sliders, pick, line, x;
  let [lane, told] = [0, null];
  const id = unique("hatch");
  const [top, controls] = ["top", "controls"].map((of) => h("div", { class: `rl-tl-${of}` }));
  const drawn = h("div", { class: "rl-tl-drawn" });
  const hint = h("p", { class: "rl-tl-hint" });
  const verdict = h("p", { class: "rl-tl-verdict" });
  const rows = h("dl", { class: "rl-says rl-tl-rows" });
  const look = (of, more) => s("rect", { class: `rl-tl-${of}`, fill: LOOKS[of].length > 0 && `url(#${id}-${of})`, ...more });
  const key = (of) => s("svg", { width: 22, height: 13, "aria-hidden": "true" }, look(of, { x: 1, y: 1, width: 20, height: 11 }));
  const patterns = s("svg", { width: 0, height: 0, "aria-hidden": "true", class: "rl-hidden" }, s("defs", {},
    Object.entries(LOOKS).filter(([, { length }]) => length).map(([name, [colour, d]]) =>
      s("pattern", { id: `${id}-${name}`, width: 7, height: 7, patternUnits: "userSpaceOnUse" },
        s("rect", { width: 7, height: 7, fill: name === "waiting" ? "var(--broken-tint)" : "var(--surface)" }),
        s("path", { d, stroke: `var(--${colour})`, "stroke-width": 1.4 })))));
  const tasks = h("div", { class: "rl-row" },
    [["Previous change", "p"], ["Next change", "n"], ["Zoom in", "+"], ["Zoom out", "-"]]
      .map(([text, key]) => button(text, () => keys[key](), { "aria-keyshortcuts": key })));
  el.append(patterns, top, h("div", { class: "rl-tl-key" }, Object.keys(LOOKS).map((of) => h("span", {}, key(of), of))),
    drawn, hint, verdict, controls, tasks, rows);
  const say = announcer(el);

  const wide = () => (shown ? shown[1] - shown[0] : end);
  const moment = (us) => `${(us / 1000).toFixed(wide() < 1e4 ? 3 : wide() < 1e5 ? 2 : 1)} ms`;
  const words = (span) => `${trace.threads[span[0]]}: ${doing(trace, span)}, ${time(span[3] - span[2])} (${moment(span[2])} to ${moment(span[3])})`;
  const tell = (span) => {
    told = span;
    const point = matchMedia("(hover: none)").matches ? "Tap it" : "Point at it, or go to it with Tab and arrow keys";
    hint.textContent = span ? words(span) : `How long is a box? ${point}. A double click, Enter or Space zooms to it.`;
  };

  const load = () => {
    state = model.get("state");
    end = Math.max(...state.traces.map((one) => one.end));
    pick = choice({ label: state.label, options: state.traces.map(({ name }) => [name, name]), value: "", change: (name) => begin(name) });
    sliders = {
      t: slider({ label: "Time", min: 0, max: end, steps: 1000, value: 0, words: moment, change: (at) => go(at) }),
      shown: slider({ label: "Zoom", min: end, max: Math.min(LEAST, end / 2), log: true, value: end, words: (us) => `${time(us)} shown`, change: (us) => zoom(us / wide()) }),
    };
    sliders.t.element.querySelector("input").addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!way || !typed(event)) return;
      event.preventDefault();
      go(t + (way * wide()) / 100);
    });
    top.replaceChildren(pick.element, note);
    controls.replaceChildren(sliders.t.element, sliders.shown.element);
    begin(state.traces.some(({ name }) => name === trace?.name) ? trace.name : state.begin);
  };
  const note = h("p", { class: "rl-tl-note" });
  const begin = (name, now = null) => {
    trace = state.traces.find((one) => one.name === name);
    pick.set(name);
    note.textContent = trace.note;
    shown = now?.window ?? [0, end];
    lane = 0;
    tell(null);
    t = null;
    go(now?.t ?? opening(trace), true);
  };
  const go = (to, anew = false) => {
    t = clamp(to, 0, end);
    const window = followed(shown, t, end);
    if (anew || window[0] !== shown[0]) {
      shown = window;
      ask();
    }
    show();
  };
  const step = (forward) => go(next(trace, t, forward));
  const zoom = (factor) => {
    shown = zoomed(shown, wide() * factor, t, end);
    ask();
    show(`${time(wide())} shown, from ${moment(shown[0])} on.`);
  };
  const show = (first) => {
    sliders.t.set(t);
    sliders.shown.set(wide());
    const now = at(trace, t);
    const [bad, text] = t >= trace.end ? [false, "This trace is over."] : waits(trace, t);
    verdict.classList.toggle("rl-tl-bad", bad);
    verdict.textContent = `At ${moment(t)}: ${text}`;
    rows.replaceChildren(...trace.threads.map((name, i) => h("div", {}, h("dt", {}, name),
      h("dd", {}, now[i] ? [key(now[i][1]), `${doing(trace, now[i])}: ${time(t - now[i][2])} of ${time(now[i][3] - now[i][2])}`] : doing(trace, undefined, i, t)))));
    place();
    say(first || `${verdict.textContent} ${trace.threads.map((name, i) => `${name}: ${doing(trace, now[i], i, t)}.`).join(" ")}`);
  };
  const place = () => line?.setAttribute("transform", `translate(${x(t).toFixed(1)},0)`);

  const tall = 46;
  const label = (x, y, text) => s("text", { x, y, "text-anchor": "middle", class: "quiet", text });
  const ask = redraw(drawn, (width) => {
    const had = drawn.contains(document.activeElement) && document.activeElement.dataset.span;
    const y = 30 + trace.threads.length * tall;
    x = scale(...shown, 1, width - 1);
    const inside = ([, , from, to]) => to >= shown[0] && from <= shown[1];
    const box = (from, to, more) => {
      const [a, b] = [from, to].map((at) => clamp(x(at), -5, width + 5));
      return { x: a.toFixed(1), width: Math.max(b - a, 0.8).toFixed(1), ...more };
    };
    const bands = trace.events.filter(inside).map(([name, , from, to]) => {
      const [a, b] = [from, to].map((at) => clamp(x(at), 0, width));
      const text = [`${name} ${time(to - from)}`, name].find((one) => one.length * 7.5 < b - a);
      return [s("rect", box(from, to, { height: y - 6, class: "rl-tl-band" })), text && label((a + b) / 2, 13, text)];
    });
    line = s("g", { class: "rl-tl-cursor" }, s("line", { y1: 0, y2: y }), s("path", { d: `M-6,${y + 1} h12 l-6,-9 z` }));
    drawn.replaceChildren(s("svg", { width, height: y + 38, role: "group", "aria-label": `What each thread did: ${trace.name}` }, bands,
      trace.threads.map((name, i) => s("text", { x: 2, y: 33 + i * tall, text: name })),
      trace.spans.map((span, n) => {
        const [who, of, from, to] = span;
        if (!inside(span)) return null;
        const onfocus = () => {
          lane = who;
          tell(span);
          if (t < from || t >= to) go(from);
        };
        return s("g", { role: "button", tabindex: -1, "data-span": n, "aria-label": words(span), "aria-description": "Enter or Space zooms to it", onfocus },
          look(of, box(from, to, { y: 38 + who * tall, height: 22 })));
      }),
      s("line", { class: "axis", x1: 0, x2: width, y1: y, y2: y }),
      ticks(...shown, width).map((v) => [s("line", { class: "axis", x1: x(v), x2: x(v), y1: y, y2: y + 4 }),
        label(clamp(x(v), 8, width - 12), y + 18, Number((v / 1000).toFixed(3)))]),
      label(width / 2, y + 34, "time (ms)"), line));
    place();
    rove();
    if (had) boxes().find((one) => one.dataset.span === had)?.focus();
  });
  const boxes = () => [...drawn.querySelectorAll("[data-span]")];
  /** One box can be reached with Tab: that under the cursor. */
  const rove = () => {
    const all = boxes();
    const own = all.find((one) => trace.spans[one.dataset.span] === (told ?? at(trace, t)[lane])) ?? all[0];
    all.forEach((one) => one.setAttribute("tabindex", one === own ? 0 : -1));
  };
  const reach = (span) => {
    if (!span) return;
    const [, , from, to] = span;
    if (to < shown[0] || from > shown[1]) shown = followed(shown, from, end);
    ask();
    requestAnimationFrame(() => boxes().find((one) => trace.spans[one.dataset.span] === span)?.focus());
  };
  const fit = (span, [, , from, to] = span) => {
    shown = zoomed([from, to], (to - from) * 1.2, (from + to) / 2, end);
    ask();
    show(words(span));
  };
  drawn.addEventListener("keydown", (event) => {
    const span = trace.spans[event.target.dataset?.span];
    if (!span) return;
    const [who, , from] = span;
    const own = trace.spans.filter(([of]) => of === who).sort((a, b) => a[2] - b[2]);
    const rank = own.indexOf(span);
    const other = (d) => at(trace, Math.max(t, from))[who + d];
    const does = {
      ArrowLeft: () => reach(own[rank - 1]), ArrowRight: () => reach(own[rank + 1]),
      ArrowUp: () => reach(other(-1)), ArrowDown: () => reach(other(1)),
      Enter: () => fit(span), " ": () => fit(span),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });

  const pointed = ({ clientX, clientY }) => {
    const frame = drawn.getBoundingClientRect();
    const to = x.back(clamp(clientX - frame.left, 0, frame.width));
    return [clamp(to, ...shown), at(trace, to)[Math.floor((clientY - frame.top - 22) / tall)] ?? null];
  };
  const put = (event) => {
    const [to, span] = pointed(event);
    tell(span);
    go(to);
  };
  let [held, down] = [null, 0]; // false: a finger is down, which may yet scroll the page
  const on = (does) => Object.entries(does).forEach(([name, of]) => drawn.addEventListener(name, of));
  on({
    pointerdown: (event) => {
      if (event.button || !event.isPrimary) return;
      [held, down] = [event.pointerType === "mouse", event.clientX];
      drawn.setPointerCapture(event.pointerId);
      if (held) put(event);
    },
    pointermove: (event) => {
      const [to, span] = pointed(event);
      if (held === false) held = Math.abs(event.clientX - down) >= 4;
      if (held) go(to);
      else if (held === null && span !== told) tell(span);
    },
    pointerup: (event) => {
      if (held === false) put(event);
      held = null;
    },
    pointercancel: () => { held = null; },
    // What a pointer clicks goes to the picture, which holds it: a box gets the clicks of other tools.
    click: ({ target }) => {
      const box = target.closest("[data-span]");
      if (box) fit(trace.spans[box.dataset.span]);
    },
    dblclick: (event) => {
      const [, span] = pointed(event);
      if (span) fit(span);
    },
  });
  const keys = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), n: () => step(true), p: () => step(false) };
  el.addEventListener("keydown", (event) => {
    const does = keys[event.key];
    if (!does || !typed(event)) return;
    event.preventDefault();
    event.stopPropagation(); // in a notebook these are commands
    does();
  });
  model.on("change:state", load);
  load();
  tasks.append(shared(el, () => [trace.name, ...[t, ...shown].map(Math.round)].join("."), (text) => {
    const wanted = parsed(text, state.traces.map(({ name }) => name), end);
    begin(wanted.name, wanted);
  }, say) ?? "");
};

export default { render };
