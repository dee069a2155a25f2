// Small repairs to the theme's pages, for people who use a keyboard or a screen reader.
(() => {
  // A first visit has chosen nothing: say so before the theme complains, and before the page is painted.
  const root = document.documentElement;
  root.dataset.mode ||= "auto";
  root.dataset.theme ||= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

  // A control's spoken name has to contain the words it shows.
  const name = (selector, words, place = document) => {
    for (const element of place.querySelectorAll(selector)) {
      element.setAttribute("aria-label", words(element));
    }
  };

  // The theme draws three icons into its switch, with titles that are read out although two are hidden.
  const silenceIcons = (button) => {
    for (const icon of button.querySelectorAll("svg, i")) {
      icon.removeAttribute("title");
      icon.removeAttribute("aria-labelledby");
      icon.setAttribute("aria-hidden", "true");
      icon.querySelector("title")?.remove();
    }
  };

  const modeName = () => {
    const { mode } = root.dataset;
    name(".theme-switch-button", () => `Colours: ${mode === "auto" ? "as the system" : mode}`);
  };

  const mend = () => {
    name(".search-button-field", () => "Search Ctrl + K");
    name("button.primary-toggle", () => "Contents: show or hide");
    name("button.secondary-toggle", () => "On this page: show or hide");
    name("div.cell details.hide > summary", (summary) =>
      summary.parentElement.open
        ? summary.querySelector(".expanded").textContent.trim()
        : summary.querySelector(".collapsed").textContent.trim());
    for (const details of document.querySelectorAll("div.cell details.hide")) {
      details.addEventListener("toggle", () =>
        name(":scope > summary", () =>
          details.querySelector(details.open ? ".expanded" : ".collapsed").textContent.trim(), details));
    }
    for (const button of document.querySelectorAll(".theme-switch-button")) {
      silenceIcons(button);
      new MutationObserver(() => silenceIcons(button)).observe(button, { childList: true });
    }
    modeName();
    new MutationObserver(modeName).observe(root, { attributeFilter: ["data-mode"] });
    breakNames();
    reachScrolling();
    addEventListener("resize", reachScrolling);
    const side = document.querySelector("#pst-primary-sidebar");  // holds the book's name, outside every landmark
    side?.setAttribute("role", "complementary");
    side?.setAttribute("aria-label", "Book");
    for (const table of document.querySelectorAll(".bd-article table")) {
      for (const cell of table.querySelectorAll("thead th:empty")) {
        cell.outerHTML = "<td></td>";  // an empty heading heads nothing
      }
    }
    nameWidgets();
    closeOnArrival();
  };

  // On a phone the contents cover the page: whoever has chosen a place in it wants to see that place.
  const closeOnArrival = () => {
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => {
        if (event.target.closest('a[href^="#"]')) dialog.close();
      });
    }
  };

  // In a table a long name may go on in the next line, but behind an underscore, a dot or a slash only.
  const breakNames = () => {
    for (const code of document.querySelectorAll(".bd-article :is(td, th) code")) {
      const walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
      const texts = [];
      while (walk.nextNode()) texts.push(walk.currentNode);
      for (const text of texts) {
        const parts = text.data.match(/[^]*?[A-Za-z0-9][_./]+(?=[A-Za-z0-9])|[^]+$/g) ?? [];
        text.replaceWith(...parts.flatMap((part, n) => (n ? [document.createElement("wbr"), part] : [part])));
      }
    }
  };

  // What scrolls inside itself has to be reached by the keyboard. The theme sees to <pre>, not to tables.
  const reachScrolling = () => {
    const boxes = document.querySelectorAll(
      ".cell_output .text_html, .cell_output .text_html div, .pst-scrollable-table-container");
    for (const box of boxes) {
      const scrolls = box.scrollWidth > box.clientWidth && /auto|scroll/.test(getComputedStyle(box).overflowX);
      box.classList.toggle("scrolls", scrolls && box.querySelector("table") !== null);
      if (scrolls) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Wide content: scroll sideways");
      }
    }
  };

  // Sliders of ipywidgets come without a name; the label beside them has one. They are drawn late.
  const nameWidgets = () => {
    const label = () => {
      for (const box of document.querySelectorAll(".jupyter-widgets")) {
        const words = box.querySelector(".widget-label")?.textContent.trim() || "value";
        for (const part of box.querySelectorAll("[role=slider], [role=progressbar], .widget-readout")) {
          if (!part.hasAttribute("aria-label")) {
            part.setAttribute("aria-label", words);
          }
        }
      }
    };
    const place = document.querySelector(".bd-article");
    if (place && document.querySelector('script[type^="application/vnd.jupyter.widget"]')) {
      new MutationObserver(label).observe(place, { childList: true, subtree: true });
      label();
    }
  };

  document.addEventListener("DOMContentLoaded", mend);
})();
