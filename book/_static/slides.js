// The page of figures as slides: every section is one. Without this it is a page to read.
// `#slide-3` in the address is slide 3, so a slide can be sent to somebody, and survives a reload.

const article = document.querySelector(".bd-article");
const page = article.querySelector("section");
const slides = [...page.querySelectorAll(":scope > section")];
const root = document.documentElement;
const HASH = /^#slide-(\d+)$/;
let now = -1; // the slide that is shown, from 0; -1: the page

/** A button: what it shows, its words for everybody, and the key that does the same. */
const button = (sign, words, shortcut, act) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = sign;
  made.title = `${words} (${shortcut})`;
  made.setAttribute("aria-label", words);
  made.setAttribute("aria-keyshortcuts", shortcut);
  made.addEventListener("click", act);
  return made;
};

/** The name of a key. */
const key = (name) => Object.assign(document.createElement("kbd"), { textContent: name });

const titleOf = (slide) => slide.querySelector("h2").firstChild.textContent.trim();

// -- What is added to the page ---------------------------------------------------------------------------------

const start = document.createElement("button");
start.type = "button";
start.className = "slides-start";
start.textContent = "Show as slides";
start.addEventListener("click", () => show(0));
const keys = document.createElement("p");
keys.className = "slides-keys";
keys.append(
  "Arrow keys lead on and back, ", key("Home"), " and ", key("End"), " to the ends. ", key("W"),
  " opens the notes in a window of their own, to be kept off the projector; ", key("N"), " shows them on the slide, to everybody. ",
  key("F"), " fills the screen, ", key("Esc"), " comes back to this page.");
slides[0].before(start, keys);

const bar = document.createElement("div");
bar.className = "slides-bar";
bar.setAttribute("role", "group");
bar.setAttribute("aria-label", "Slides");
bar.hidden = true;
const back = button("←", "Previous slide", "ArrowLeft", () => show(now - 1));
const place = document.createElement("span");
const next = button("→", "Next slide", "ArrowRight", () => show(now + 1));
const notes = button("Notes", "Notes, for everybody to see", "N", () => showNotes(!notesShown()));
const own = button("Own window", "Own window for the notes", "W", () => openDesk());
own.className = "slides-own";
const fill = button("Full screen", "Full screen", "F", () => fillScreen());
const close = button("Close", "Close the slides", "Escape", () => leave());
fill.hidden = !document.fullscreenEnabled;
bar.append(back, place, next, notes, own, fill, close);

// Read out with each slide; the place in the bar is for the eyes.
const said = document.createElement("p");
said.className = "slides-said";
said.setAttribute("role", "status");
place.setAttribute("aria-hidden", "true");
page.append(bar, said);

// -- Showing -----------------------------------------------------------------------------------------------------

const notesShown = () => root.hasAttribute("data-slide-notes");

const showNotes = (shown) => {
  root.toggleAttribute("data-slide-notes", shown);
  notes.setAttribute("aria-pressed", shown);
  for (const one of page.querySelectorAll(":scope > section > details")) one.open = shown && now >= 0;
};

let desk = null; // the speaker's window: this slide's notes, and what comes next

const openDesk = () => {
  const opened = open("", "racelab-notes", "popup,width=640,height=560");
  if (!opened) {
    said.textContent = "The browser opens no window: allow it for this page.";
    said.classList.add("slides-warns");
    return;
  }
  desk = opened;
  desk.document.documentElement.lang = root.lang;
  desk.document.body.style.cssText = "font: 1.25rem/1.5 sans-serif; margin: 1.5rem; max-width: 40rem";
  desk.removeEventListener("keydown", onKey, { capture: true }); // it may have been open already
  desk.addEventListener("keydown", onKey, { capture: true });
  fillDesk();
};

/** Keep the speaker's window in step. */
const fillDesk = () => {
  if (!desk || desk.closed || now < 0) return;
  const made = (tag, text) => Object.assign(desk.document.createElement(tag), { textContent: text });
  const noted = slides[now].querySelector(":scope > details > ul");
  desk.document.title = `Notes: ${titleOf(slides[now])}`;
  desk.document.body.replaceChildren(
    made("h1", `${now + 1} / ${slides.length}: ${titleOf(slides[now])}`),
    ...(noted ? [desk.document.importNode(noted, true)] : []),
    made("p", slides[now + 1] ? `Next: ${titleOf(slides[now + 1])}` : "The last slide."));
};

const closeDesk = () => {
  desk?.close();
  desk = null;
};
addEventListener("pagehide", closeDesk);

/** Show slide `number`, from 0; the first and the last one are the ends. */
const show = (number) => {
  const before = now;
  now = Math.max(0, Math.min(slides.length - 1, number));
  if (before === now) return;
  root.setAttribute("data-slides", "");
  bar.hidden = false;
  slides.forEach((slide, at) => slide.classList.toggle("slides-now", at === now));
  back.disabled = now === 0;
  next.disabled = now === slides.length - 1;
  place.textContent = `${now + 1} / ${slides.length}`;
  said.classList.remove("slides-warns");
  said.textContent = `Slide ${now + 1} of ${slides.length}: ${titleOf(slides[now])}`;
  history.replaceState(history.state, "", `#slide-${now + 1}`);
  if (before < 0) showNotes(notesShown());
  fillDesk();
  const slide = slides[now];
  slide.tabIndex = -1;
  slide.scrollTop = 0;
  // A button that was pressed keeps the focus, unless it has just become useless.
  if (!bar.contains(document.activeElement) || document.activeElement.disabled) {
    slide.focus({ preventScroll: true });
  }
};

/** Back to the page, at the section that was shown. */
const leave = () => {
  if (now < 0) return;
  const slide = slides[now];
  now = -1;
  if (document.fullscreenElement) document.exitFullscreen();
  root.removeAttribute("data-slides");
  bar.hidden = true;
  said.classList.remove("slides-warns");
  said.textContent = "";
  showNotes(false);
  closeDesk();
  slide.classList.remove("slides-now");
  history.replaceState(history.state, "", `#${slide.id}`);
  slide.scrollIntoView();
  slide.focus({ preventScroll: true });
};

const fillScreen = () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.fullscreenEnabled) root.requestFullscreen().catch(() => {});
};

// -- Keys, addresses ------------------------------------------------------------------------------------------------

const KEYS = {
  ArrowRight: () => show(now + 1),
  ArrowDown: () => show(now + 1),
  PageDown: () => show(now + 1),
  " ": (event) => show(now + (event.shiftKey ? -1 : 1)),
  ArrowLeft: () => show(now - 1),
  ArrowUp: () => show(now - 1),
  PageUp: () => show(now - 1),
  Home: () => show(0),
  End: () => show(slides.length - 1),
  Escape: leave,
  f: fillScreen,
  n: () => showNotes(!notesShown()),
  w: openDesk,
};

// While going down: the theme's own listener for Esc says that it was seen to, whether or not there was a search to close.
const onKey = (event) => {
  if (now < 0 || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Space presses what has the focus; up and down scroll what is higher than the window.
  if (pressed === " " && event.target.closest("button, a, summary")) return;
  const slide = slides[now];
  if (/^Arrow(Up|Down)$/.test(pressed) && slide.scrollHeight > slide.clientHeight + 1) return;
  if (Object.hasOwn(KEYS, pressed)) {
    event.preventDefault();
    KEYS[pressed](event);
  }
};
addEventListener("keydown", onKey, { capture: true });

/** What the address asks for: a slide, or the page. */
const arrive = () => {
  const asked = HASH.exec(location.hash);
  if (asked) show(Number(asked[1]) - 1);
  else if (now >= 0 && location.hash) leave();
};

addEventListener("hashchange", arrive);
arrive();
