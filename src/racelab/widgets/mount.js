// Bring the living figures of a page to life, without a kernel: each carries its state beside it.

/** As much of anywidget's model as a figure uses. */
class Model {
  #state;
  constructor(state) { this.#state = state; }
  get(name) { return name === "state" ? this.#state : undefined; }
  set() {}
  on() {}
  off() {}
  save_changes() {}
}

/** Draw one figure; returns how many ms of script that took, without what the page did while the module was fetched. */
const mount = async (figure) => {
  const { default: module } = await import(`./${figure.dataset.living}.js`);
  const begin = performance.now();
  const state = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const el = document.createElement("div");
  el.className = "rl-living";
  const still = figure.querySelector(".rl-still");
  still.after(el);
  await module.render({ model: new Model(state), el });
  figure.classList.add("rl-alive"); // the still picture stays for paper
  return performance.now() - begin;
};

for (const figure of document.querySelectorAll("[data-living]")) {
  mount(figure).then(
    (ms) => { figure.dataset.ms = ms.toFixed(1); },
    (problem) => { figure.dataset.problem = String(problem); throw problem; },
  );
}
