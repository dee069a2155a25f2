// All schedules of ext/<slug>/steps.js, as JSON, for test_living_interleaver.py: node schedules.mjs FILE...
import { pathToFileURL } from "node:url";

import { advance, ending, enumerate, play, start, turn } from "../../src/racelab/widgets/interleaver.js";

const NAMES = "ABC";
/** What a schedule runs, line by line, as steps.js has it under `failing`: A29 B34"drops it". */
const lines = (variant, schedule) => play(variant, schedule).slice(0, -1).map((st, k) => {
  const i = NAMES.indexOf(schedule[k]);
  const step = variant.threads[i].steps[st.t[i].pc];
  const said = step.text ?? turn(variant, st, i).note;
  return `${schedule[k]}${[step.line ?? ""].flat().join("+")}${said ? `"${said}"` : ""}`;
}).join(" ");

/** Locks that are held, and who is in a section, where everybody is done. */
const untidy = (variant) => {
  const found = new Set();
  const seen = new Set();
  const visit = (st) => {
    const key = JSON.stringify(st);
    if (seen.has(key)) return;
    seen.add(key);
    if (ending(variant, st) !== null) {
      if (!st.t.every((_, i) => turn(variant, st, i).done)) return;
      for (const [name, x] of Object.entries(st.s)) if (x?.lock) found.add(`${name} is held by ${x.lock}`);
      for (const t of st.t) if (t.sec.length || t.off) found.add("somebody is in a section, or detached");
      return;
    }
    st.t.forEach((_, i) => turn(variant, st, i).go && visit(advance(variant, st, i)));
  };
  visit(start(variant));
  return [...found];
};

const everything = {};
for (const file of process.argv.slice(2)) {
  const { default: script } = await import(pathToFileURL(file));
  const variants = {};
  for (const [name, variant] of Object.entries(script.variants)) {
    const began = performance.now();
    const { total, outcomes, states } = enumerate(variant);
    variants[name] = {
      total: String(total), states, ms: performance.now() - began, untidy: untidy(variant),
      outcomes: Object.fromEntries([...outcomes].map(([label, { n, shortest }]) =>
        [label, { n: String(n), shortest, switches: [...shortest].filter((who, k) => k && who !== shortest[k - 1]).length, lines: lines(variant, shortest) }])),
      steps: variant.threads.map(({ steps }) => steps.map(({ line, text }) => ({ line: [line ?? []].flat(), text: text ?? null }))),
    };
  }
  everything[file] = { variants, failing: script.failing, unobserved: script.unobserved, unplayed: script.unplayed ?? {}, outcomes: script.outcomes ?? null };
}
process.stdout.write(JSON.stringify(everything));
