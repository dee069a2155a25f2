// What all living figures share: elements, controls with names, a live region, axes, links that reproduce a view.
//
// A figure is a module `export default { render({ model, el }) }`, as anywidget wants it; on a page of the site `mount.js`
// makes the model.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** An HTML element: h("button", { onclick }, "Undo"). Text is text, never markup. */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** The same for SVG. */
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A count as people read it: 1,200 or 3.4 million. */
export const count = (n) =>
  n < 1e6 ? Math.round(n).toLocaleString("en") : n < 1e9 ? `${significant(n / 1e6)} million`
    : n < 1e12 ? `${significant(n / 1e9)} billion` : n.toExponential(1);

/** Two or three significant digits, without an exponent where that can be read. */
export const significant = (x, digits = 2) =>
  x === 0 ? "0" : Math.abs(x) >= 1e-6 ? String(Number(x.toPrecision(digits))).replace(/^(-?[\d.]+)e-(\d+)$/, (_, m, e) =>
    Number(`${m}e-${e}`).toFixed(Number(e) + digits - 1)) : x.toExponential(digits - 1).replace("e", "·10^");

/** A share in percent; close to 100 % with as many nines as it takes. */
export const percent = (p) => {
  const digits = p > 0.99 && p < 1 ? Math.ceil(-Math.log10(1 - p)) + 1 : 2;
  const shown = `${significant(100 * p, Math.max(2, digits))}\u00a0%`;
  return p < 1 && shown === "100\u00a0%" ? "almost 100\u00a0%" : shown;
};

/** An id that no other figure has. */
export const unique = (word) => `rl-${word}-${Math.random().toString(36).slice(2)}`;

/** Speaks to screen readers, the last of several quick messages only. Returns say(text). */
export const announcer = (el) => {
  const region = h("p", { class: "rl-hidden", role: "status", "aria-live": "polite" });
  el.append(region);
  let [waiting, asked] = [0, false];
  queueMicrotask(() => { asked = true; }); // nobody has asked while the figure is made
  return (text) => {
    clearTimeout(waiting);
    if (asked) waiting = setTimeout(() => { region.textContent = text; }, 250);
  };
};

/** A slider with its name and its value in words(value); calls change(value). Returns its element, and set(value). */
export const slider = ({ label, min, max, value, steps = 200, log = false, words, change }) => {
  const there = (x) => (log ? Math.log(x / min) / Math.log(max / min) : (x - min) / (max - min)) * steps;
  const back = (t) => (log ? min * (max / min) ** (t / steps) : min + ((max - min) * t) / steps);
  const id = unique("slider");
  const shown = h("span"); // no <output>: that would speak beside the slider and the announcer
  const input = h("input", { id, type: "range", min: 0, max: steps, step: 1 });
  const show = (x) => {
    shown.textContent = words(x);
    input.setAttribute("aria-valuetext", words(x));
  };
  input.addEventListener("input", () => {
    const now = back(Number(input.value));
    show(now);
    change(now);
  });
  const set = (x) => {
    input.value = String(Math.round(clamp(there(x), 0, steps)));
    show(x);
  };
  set(value);
  return { element: h("div", { class: "rl-slider" }, h("label", { for: id }, label), input, shown), set };
};

/** One of several, as native radio buttons: arrow keys work, and the group has a name. */
export const choice = ({ label, options, value, change }) => {
  const name = unique("choice");
  const inputs = options.map(([key, text]) => {
    const input = h("input", { type: "radio", name, value: key, onchange: () => change(key) });
    input.checked = key === value;
    return h("label", {}, input, h("span", {}, text));
  });
  const element = h("fieldset", { class: "rl-choice" }, h("legend", {}, label), ...inputs);
  const set = (key) => {
    for (const input of element.querySelectorAll("input")) input.checked = input.value === key;
  };
  return { element, set };
};

/** A list to choose one from. */
export const menu = ({ label, options, value, change }) => {
  const id = unique("menu");
  const select = h("select", { id, onchange: () => change(select.value) },
    options.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  return { element: h("div", { class: "rl-menu" }, h("label", { for: id }, label), select), set: (key) => { select.value = key; } };
};

export const button = (text, onclick, more = {}) => h("button", { type: "button", onclick, ...more }, text);

/** Draw: at once where there is no picture yet, then at most once a frame, and whenever the width changes. Returns ask(). */
export const redraw = (el, draw) => {
  let [asked, width] = [0, 0];
  const now = () => {
    asked = 0;
    width = el.clientWidth;
    if (width) draw(width);
  };
  const later = () => { asked ||= requestAnimationFrame(now); };
  new ResizeObserver(() => Math.abs(el.clientWidth - width) > 1 && later()).observe(el);
  return () => (width ? later() : now());
};

/** Powers of ten from low to high, no more than `most` of them. */
export const decades = (low, high, most = 8) => {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => 10 ** (first + i * step));
};

/** A scale: value -> pixels, linear or logarithmic; `.back` is its inverse. */
export const scale = (low, high, from, to, log = false) => {
  const f = log ? Math.log : (x) => x;
  const g = log ? Math.exp : (x) => x;
  const to_px = (x) => from + ((f(x) - f(low)) / (f(high) - f(low))) * (to - from);
  to_px.back = (px) => g(f(low) + ((px - from) / (to - from)) * (f(high) - f(low)));
  return to_px;
};

/**
 * A link that reproduces what is shown: `#<id>=<what>` on a page of the site, and the same of figures that were linked
 * before. read() says what is shown; apply(text) shows it, or throws, which is ignored. Returns the button that makes the
 * link; null in a kernel, where there is no page to link to.
 */
export const shared = (el, read, apply, say) => {
  const figure = el.closest("[data-living]");
  if (!figure?.id) return null;
  const views = () => [...new URLSearchParams(location.hash.slice(1))].filter(([id]) => document.getElementById(id)?.dataset.living);
  const follow = () => {
    const nth = views().findIndex(([id]) => id === figure.id);
    try {
      if (nth >= 0) apply(views()[nth][1]);
      // The one linked last stands first; drawn, it has its place.
      if (!nth) requestAnimationFrame(() => figure.scrollIntoView({ block: "center" }));
    } catch { /* an old or mistyped link shows the figure as it is */ }
  };
  addEventListener("hashchange", follow);
  queueMicrotask(follow);
  const link = button("Link to this", async () => {
    history.replaceState(null, "", `#${new URLSearchParams([[figure.id, read()], ...views().filter(([id]) => id !== figure.id)])}`);
    const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    link.textContent = copied ? "Copied" : "It is in the address bar";
    say(copied ? "The link is on your clipboard." : "The link is in the address bar.");
    setTimeout(() => { link.textContent = "Link to this"; }, 2500);
  });
  return link;
};
