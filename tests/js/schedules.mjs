// All schedules of ext/<slug>/steps.js, as JSON, for test_living_interleaver.py: node schedules.mjs FILE...
import { pathToFileURL } from "node:url";

import { advance, ending, enumerate, play, start, turn } from "../../src/racelab/widgets/interleaver.js";

const NAMES = "ABC";
/** What a schedule runs, line by line, and how it ends, as steps.js has it under `failing`: A29 B34"drops it" | AB hang; A waits for x. */
const lines = (variant, schedule) => {
  const last = play(variant, schedule).at(-1);
  const waits = last.end ? [] : last.t.map((_, i) => [NAMES[i], turn(variant, last, i).blocked?.replace(/^paused/, "is paused")]).filter(([, why]) => why);
  return `${ran(variant, schedule)} | ${NAMES.slice(0, last.t.length)} ${[ending(variant, last), ...waits.map((one) => one.join(" "))].join("; ")}`;
};
const ran = (variant, schedule) => play(variant, schedule).slice(0, -1).map((st, k) => {
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
