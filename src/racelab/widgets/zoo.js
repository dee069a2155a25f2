// Map of the bug zoo: every bug by its kind; choose a tool, and those that it missed stand out.
import { announcer, choice, clamp, h, menu, shared, significant } from "./base.js";

/** How a tool answered: "found", "missed", or "unasked" where it could not be asked. */
export const verdict = (answer) => (!answer ? "unasked" : answer[0] ? "found" : "missed");

const SIGN = { found: "✓", missed: "✗", unasked: "–" };
const WORDS = { found: "found", missed: "not found", unasked: "not asked" };

/** An answer in words: "found after 1.7 s", "not found in 2 s", "not asked". */
export const words = (answer) => {
  const kind = verdict(answer);
  return kind === "unasked" ? WORDS[kind] : `${WORDS[kind]} ${kind === "found" ? "after" : "in"} ${significant(answer[1])}\u00a0s`;
};

/** A bug's name: the lab, and how it is broken. */
export const called = ({ lab, variant }) => `${lab} ${variant.replace(/^broken_?/, "").replaceAll("_", " ")}`.trim();

const letter = (name) => name[0].toUpperCase();

/** How many of these bugs a tool found, missed, or was not asked about. */
export const tally = (bugs, tool) => {
  const counts = { found: 0, missed: 0, unasked: 0 };
  for (const bug of bugs) counts[verdict(bug.seen[tool])] += 1;
  return counts;
};

/** "tool.kind" of a link; throws on what is neither. */
export const parsed = (text, tools, kinds) => {
  const [tool, kind, ...more] = text.split(".");
  const of = (key, known) => (key === "all" ? "" : known.includes(key) ? key : null);
  const now = { tool: of(tool, tools), kind: of(kind, kinds) };
  if (now.tool === null || now.kind === null || more.length) throw new RangeError(text);
  return now;
};

/** Where an arrow key leads from one of the bugs; kinds are the rows. */
export const moved = (rows, at, key) => {
  const flat = rows.flat();
  if (key === "Home") return flat[0];
  if (key === "End") return flat.at(-1);
  const i = flat.indexOf(at);
  if (key === "ArrowRight") return flat[clamp(i + 1, 0, flat.length - 1)];
  if (key === "ArrowLeft") return flat[clamp(i - 1, 0, flat.length - 1)];
  const row = rows.findIndex((one) => one.includes(at));
  const next = row + { ArrowDown: 1, ArrowUp: -1 }[key];
  return rows[next] ? rows[next][Math.min(rows[row].indexOf(at), rows[next].length - 1)] : at;
};

export const render = ({ model, el }) => {
  el.classList.add("rl-living", "rl-zoo");
  const now = { tool: model.get("state").tool, kind: "" };
  const body = h("div", {});
  el.append(body);
  const say = announcer(el);
  let view;
  const draw = () => {
    const state = model.get("state");
    if (!state.kinds.some(([key]) => key === now.kind)) now.kind = "";
    view = made(state, now, say);
    if (link) view.controls.append(link);
    body.replaceChildren(...view.parts);
    view.show();
  };
  const keys = (list) => model.get("state")[list].map(([key]) => key);
  const link = shared(el, () => `${now.tool || "all"}.${now.kind || "all"}`, (text) => {
    Object.assign(now, parsed(text, keys("tools"), keys("kinds")));
    draw();
  }, say);
  model.on("change:state", draw);
  draw();
};

/** All elements of a state, and how to bring them up to date. */
const made = (state, now, say) => {
  const tools = state.tools.map(([key]) => key);
  const names = state.tools.map(([, name]) => name);
  const changed = (change) => {
    Object.assign(now, change);
    show();
    say(sum.textContent);
  };
  const tool = choice({ label: "What does … miss?", value: now.tool,
    options: [...state.tools.map(([key, name]) => [key, name]), ["", "all side by side"]], change: (key) => changed({ tool: key }) });
  const kind = menu({ label: "Kind of bug", value: now.kind,
    options: [["", `all ${state.kinds.length} kinds`], ...state.kinds.map(([key, name]) => [key, name])], change: (key) => changed({ kind: key }) });
  const sum = h("p", { class: "rl-zoo-sum" });
  const hint = h("p", { class: "rl-zoo-hint" }, "Each bug leads to its chapter. ",
    h("span", {}, "Point at one, or reach it with Tab and then arrow keys, to see what it is and who found it."));
  // At the foot of the window while somebody is among the bugs; at the foot of the zoo afterwards.
  const card = h("div", { class: "rl-zoo-card", hidden: true });

  const about = (bug) => {
    const [title] = state.chapters[bug.chapter];
    const question = state.questions[bug.lab];
    card.hidden = false;
    card.classList.add("rl-zoo-on");
    card.replaceChildren(
      h("p", {}, h("strong", {}, called(bug)), `: ${bug.what}. `, question && h("em", {}, `${question} `), `Chapter ${bug.chapter.slice(0, 2)}, ${title}.`),
      h("ul", {}, bug.seen.map((answer, i) => h("li", { class: `rl-zoo-${verdict(answer)}` },
        h("strong", {}, names[i]), ` ${SIGN[verdict(answer)]} ${words(answer).replace("found ", "")}`, answer?.[2] && h("span", {}, answer[2])))));
  };

  const chips = state.bugs.map((bug) => {
    const sign = h("span", { class: "rl-zoo-sign", "aria-hidden": "true" });
    const time = h("span", { class: "rl-zoo-time", "aria-hidden": "true" });
    const pips = h("span", { class: "rl-zoo-pips", "aria-hidden": "true" },
      bug.seen.map((answer, i) => h("span", { class: `rl-zoo-${verdict(answer)}` }, letter(names[i]))));
    // Read out with the link; seen where there is room for a list.
    const more = h("span", { class: "rl-zoo-more" }, `${bug.what.replace(/^[a-z](?=\w* )/, (c) => c.toUpperCase())}. `, h("span", { class: "rl-zoo-each" },
      bug.seen.map((answer, i) => [h("span", { class: `rl-zoo-${verdict(answer)}` }, `${names[i]}: ${words(answer)}`), i + 1 < names.length ? "; " : "."])));
    const a = h("a", { href: state.chapters[bug.chapter][1], tabindex: -1, onfocus: () => {
      stop(a);
      about(bug);
      if (a.matches(":focus-visible")) a.scrollIntoView({ block: "nearest" }); // and not under the card
    }, onpointerenter: () => about(bug) },
      sign, h("span", {}, h("code", {}, bug.lab), `${called(bug).slice(bug.lab.length)} `), more, time, pips);
    return { bug, a, sign, time };
  });
  const groups = state.kinds.map(([key, name, text]) => {
    const own = chips.filter(({ bug }) => bug.kind === key);
    const count = h("strong", {});
    const element = h("section", { "aria-label": name },
      h("p", {}, h("strong", {}, name), count, h("span", {}, text)),
      h("ul", {}, own.map(({ a }) => h("li", {}, a))));
    return { key, own, count, element };
  });
  const list = h("div", { class: "rl-zoo-kinds" }, groups.map(({ element }) => element));

  const left = () => { if (!list.matches(":hover") && !list.contains(document.activeElement)) card.classList.remove("rl-zoo-on"); };
  list.addEventListener("pointerleave", left);
  list.addEventListener("focusout", () => queueMicrotask(left));
  // One stop for Tab; arrow keys lead on from there.
  const stop = (a) => { for (const one of chips) one.a.tabIndex = one.a === a ? 0 : -1; };
  list.addEventListener("keydown", (event) => {
    if (!/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = groups.filter(({ element }) => !element.hidden).map(({ own }) => own.map(({ a }) => a));
    const to = moved(rows, event.target.closest("a"), event.key);
    if (to) {
      event.preventDefault();
      to.focus();
    }
  });

  const show = () => {
    const at = tools.indexOf(now.tool);
    list.classList.toggle("rl-zoo-all", at < 0);
    list.classList.toggle("rl-zoo-one", now.kind !== "");
    const chosen = state.bugs.filter((bug) => !now.kind || bug.kind === now.kind);
    for (const { bug, a, sign, time } of chips) {
      const answer = bug.seen[at];
      const how = at < 0 ? "all" : verdict(answer);
      a.className = `rl-zoo-${how}`;
      sign.textContent = SIGN[how] ?? "";
      time.textContent = how === "found" ? `${significant(answer[1])} s` : "";
    }
    for (const { key, own, count, element } of groups) {
      element.hidden = now.kind !== "" && now.kind !== key;
      const { missed, unasked } = tally(own.map(({ bug }) => bug), at);
      count.className = at >= 0 && missed ? "rl-zoo-missed" : "";
      count.textContent = at < 0 ? `${own.length} bugs` : missed ? `${missed} of ${own.length} not found` : unasked ? `${unasked} not asked` : "all found";
    }
    tool.element.querySelectorAll("span").forEach((span, i) => {
      if (i < tools.length) span.textContent = `${names[i]}: ${tally(chosen, i).missed}`;
    });
    const first = groups.find(({ element }) => !element.hidden);
    if (first && !chips.some(({ a }) => a.tabIndex === 0 && !a.closest("[hidden]"))) stop(first.own[0].a);
    sum.textContent = summary(state, chosen, at);
  };
  tool.set(now.tool);
  kind.set(now.kind);
  const controls = h("div", { class: "rl-row" }, kind.element);
  return { parts: [tool.element, controls, sum, hint, list, card], controls, show };
};

/** What is seen, in a sentence or two. */
export const summary = ({ tools }, bugs, at) => {
  if (at < 0) {
    const nobody = bugs.filter(({ seen }) => !seen.some((answer) => verdict(answer) === "found")).length;
    return `Of ${bugs.length} bugs, ${tools.map(([, name], i) => `${name} found ${tally(bugs, i).found}`).join(", ")}. `
      + (nobody ? `${nobody} nobody found. ` : "Each was found by somebody. ")
      + `A letter stands for a tool (${tools.map(([, name]) => `${letter(name)} ${name}`).join(", ")}). Filled: found; outlined: not found.`;
  }
  const { found, missed, unasked } = tally(bugs, at);
  const [, name, means] = tools[at];
  return `${name} found ${found === bugs.length ? "all" : `${found} of`} ${bugs.length} (✓, after so many seconds)${missed ? `, and not ${missed} (✗)` : ""}`
    + `${unasked ? `; it could not be asked about ${unasked} (–)` : ""}. What counts as found: ${means}.`;
};

export default { render };
