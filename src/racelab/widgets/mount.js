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

const mount = async (figure) => {
  const state = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const { default: module } = await import(`./${figure.dataset.living}.js`);
  const el = document.createElement("div");
  el.className = "rl-living";
  const still = figure.querySelector(".rl-still");
  still.after(el);
  await module.render({ model: new Model(state), el });
  figure.classList.add("rl-alive"); // the still picture stays for paper
};

for (const figure of document.querySelectorAll("[data-living]")) {
  const begin = performance.now();
  mount(figure).then(
    () => { figure.dataset.ms = (performance.now() - begin).toFixed(1); },
    (problem) => { figure.dataset.problem = String(problem); throw problem; },
  );
}
