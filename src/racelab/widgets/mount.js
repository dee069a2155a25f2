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

/** Draw one figure; returns how many ms of script that took, its first picture with it. */
const mount = async (figure, module) => {
  const begin = performance.now();
  const state = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const el = document.createElement("div");
  el.className = "rl-living";
  figure.querySelector(".rl-still").after(el);
  try {
    await module.render({ model: new Model(state), el });
  } catch (problem) {
    el.remove();
    throw problem;
  }
  figure.classList.add("rl-alive"); // the still picture stays for paper
  return performance.now() - begin;
};

// All are fetched before the first is drawn: the page moves once, and a link leads to where a figure then stays.
const figures = [...document.querySelectorAll("[data-living]")];
const modules = await Promise.allSettled(figures.map((figure) => import(`./${figure.dataset.living}.js`)));
figures.forEach((figure, i) => {
  const { value, reason } = modules[i];
  (value ? mount(figure, value.default) : Promise.reject(reason)).then(
    (ms) => { figure.dataset.ms = ms.toFixed(1); },
    (problem) => { figure.dataset.problem = String(problem); throw problem; },
  );
});
