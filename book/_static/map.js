// The map's filter. Without it the page is a list to read; with it, a word leaves the entries that have it.
// Every word has to occur, anywhere in an entry, where a word begins: "hang" is not in "change", "item" is in "GetItem".
// Of a message that was pasted, most words have to. `?q=` in the address is the same as typing.

const article = document.querySelector(".bd-article");
const entries = [...article.querySelectorAll("dl > dt")].map((term) => {
  const parts = [term];
  for (let next = term.nextElementSibling; next?.tagName === "DD"; next = next.nextElementSibling) {
    parts.push(next);
  }
  const text = parts.map((part) => part.textContent).join(" ");
  return { parts, text, lower: text.toLowerCase() };
});
const sections = [...article.querySelectorAll("section section")].filter((section) => section.querySelector("dl"));
const zoo = article.querySelector("[data-living]")?.closest("section"); // no entry: it goes while something is looked for

const form = document.createElement("form");
form.className = "map-filter";
form.setAttribute("role", "search");
form.setAttribute("aria-label", "Map");
form.innerHTML = `
  <label for="map-q">A symptom, a message or a name</label>
  <input id="map-q" type="search" autocomplete="off" autocapitalize="none" spellcheck="false"
    aria-describedby="map-count" placeholder="hang, PyDict_Next, --count">
  <p id="map-count" role="status"></p>`;
article.querySelector("section section").before(form);
const input = form.querySelector("input");
const count = form.querySelector("#map-count");

/** The words of a query, without the punctuation around them: `PyDict_Next()` is PyDict_Next, `--count` stays. */
const wordsOf = (query) =>
  query.toLowerCase().split(/\s+/).map((word) => word.replace(/^["'`(]+|["'`().,:;?!]+$/g, "")).filter(Boolean);

/** Whether the entry has the word where one begins: after anything but a letter or digit, or at a capital letter. */
const has = ({ text, lower }, word) => {
  for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
    if (at === 0 || !/[a-z\d]/i.test(word[0]) || !/[a-z\d]/i.test(text[at - 1])) return true;
    if (/[A-Z]/.test(text[at]) && /[a-z\d]/.test(text[at - 1])) return true;
  }
  return false;
};

/** How many words an entry must have: all; of a long query that nothing answers, most, and the best answers only. */
const needed = (words) => {
  const best = Math.max(...entries.map((entry) => words.filter((word) => has(entry, word)).length));
  return words.length > 3 && best >= 0.6 * words.length ? best : words.length;
};

/** Show the entries that fit the query; returns how many. */
const show = (query) => {
  const words = wordsOf(query);
  const least = needed(words);
  let shown = 0;
  for (const entry of entries) {
    const { parts } = entry;
    const fits = words.filter((word) => has(entry, word)).length >= least;
    for (const part of parts) part.hidden = !fits;
    shown += fits;
  }
  for (const section of sections) {
    section.hidden = !section.querySelector("dt:not([hidden])");
  }
  if (zoo) zoo.hidden = words.length > 0;
  return shown;
};

/** Say how many entries are shown, or where else to look; read out, as the element is a status. */
const say = (query, shown) => {
  if (!query.trim()) {
    count.textContent = `${entries.length} entries`;
  } else if (shown) {
    count.textContent = `${shown} of ${entries.length} entries`;
  } else {
    const link = document.createElement("a");
    link.href = `../search.html?q=${encodeURIComponent(query.trim())}`;
    link.textContent = "Search the whole book";
    count.replaceChildren("Nothing on this page has all of these words. ", link, ".");
  }
};

/** The query in the address. */
const asked = () => new URL(location.href).searchParams.get("q") ?? "";

/** Keep the query in the address, so that it can be sent to somebody. */
const remember = (query) => {
  const address = new URL(location.href);
  if (query.trim()) address.searchParams.set("q", query.trim());
  else address.searchParams.delete("q");
  history.replaceState(history.state, "", address);
};

// Entries come and go at once; the address and what is read out wait until somebody stops typing.
let pause = 0;
const filter = () => {
  const query = input.value;
  const shown = show(query);
  clearTimeout(pause);
  pause = setTimeout(() => {
    say(query, shown);
    remember(query);
  }, 250);
};

/** Take the query from the address: on arrival, and when going back. */
const arrive = () => {
  input.value = asked();
  say(input.value, show(input.value));
};

input.addEventListener("input", filter);
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && input.value) {
    event.preventDefault();
    input.value = "";
    filter();
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  article.querySelector("dd:not([hidden]) a")?.focus(); // Enter: on to the first entry
});
addEventListener("popstate", arrive);
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.closest("[hidden]")) {
    input.value = ""; // somebody has chosen a section in the contents: show it
    filter();
    target.scrollIntoView();
  }
});
arrive();

// The theme's own search takes a `?q=` on any page for its own when the page is ready, and stumbles: hide it until then.
if (asked() && document.readyState !== "complete") {
  remember("");
  addEventListener("load", () => remember(input.value), { once: true });
}
