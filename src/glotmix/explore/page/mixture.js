// The mixture: drag a share, see tokens and epochs at once, and what the laws predict, with their doubt.

import { call, count, documents as documentsOf, el, fail, fine, latest, number, say, select, share, show, table } from "./dom.js";

export async function mixture(place, given, run) {
  const told = await call("mixture");
  if (!told.mixture) {
    show(place, el("p", {}, "This run has no mixture yet. ", el("code", {}, `glotmix mix recipe ${run.recipe}`), " makes it."));
    return;
  }
  const named = Object.fromEntries(run.langs.map((l) => [l.code, l.name]));
  const chosen = Object.fromEntries(told.mixture.map((r) => [r.lang, r.share]));
  let now = { ...chosen };
  const top = Math.min(1, 2 * Math.max(...Object.values(chosen), 0.05));
  const rows = {};
  const predicted = el("section", { "aria-label": "What the laws predict" });
  const presets = [["", "the run's own"], ...Object.keys(told.baselines).map((b) => [b, b])];
  const body = el("tbody", {});
  for (const r of told.mixture) {
    const id = `share-${r.lang}`;
    const slider = el("input", { type: "range", id, min: "0", max: String(top), step: "0.0005", value: String(r.share), oninput: () => drag(r.lang, Number(slider.value)) });
    const cells = { slider, share: el("td", {}), tokens: el("td", {}), epochs: el("td", {}) };
    rows[r.lang] = cells;
    body.append(el("tr", {}, el("th", { scope: "row" }, el("label", { for: id }, named[r.lang] || r.lang, " ", el("span", { class: "code" }, r.lang))),
      el("td", {}, slider), cells.share, el("td", {}, r.low === null ? "not measured" : `${share(r.low)} – ${share(r.high)}`), cells.tokens, cells.epochs));
  }
  show(place,
    el("p", {}, `Chosen by ${told.method}, ${count(told.tokens)} ${told.unit}. Drag a share: the others make room in proportion.`),
    told.said ? el("p", { class: "lead" }, told.said) : null,
    told.warnings.length ? el("ul", { class: "notice" }, told.warnings.map((w) => el("li", {}, w))) : null,
    el("div", { class: "filters" }, select("preset", "Begin from", presets, "", (which) => { now = which ? { ...Object.fromEntries(Object.keys(chosen).map((l) => [l, 0])), ...told.baselines[which] } : { ...chosen }; draw(); })),
    predicted,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Shares" }, el("table", {}, el("caption", {}, `Shares of the training ${told.unit}`),
      el("thead", {}, el("tr", {}, ["language", "drag", "share", "as good as the run's own", told.unit, "epochs"].map((h) => el("th", { scope: "col" }, h)))), body)));

  function drag(lang, value) {
    const others = 1 - now[lang];
    const left = 1 - value;
    for (const code of Object.keys(now)) {
      if (code === lang) now[code] = value;
      else now[code] = others > 1e-9 ? (now[code] * left) / others : left / (Object.keys(now).length - 1);
    }
    draw(lang);
  }

  function draw(held) {
    for (const [lang, cells] of Object.entries(rows)) {
      if (lang !== held) cells.slider.value = String(now[lang]);
      cells.share.textContent = share(now[lang], 2);
      cells.slider.setAttribute("aria-valuetext", share(now[lang], 2));
    }
    ask().catch(fail);
  }

  const ask = latest(async (still) => {
    const answer = await call("predict", { shares: now });
    if (!still()) return;
    fine();
    for (const r of answer.rows) {
      rows[r.lang].tokens.textContent = count(r.tokens);
      rows[r.lang].epochs.textContent = r.epochs === null ? "–" : r.epochs.toFixed(2);
    }
    const limits = answer.breaks.length ? el("ul", { class: "notice" }, answer.breaks.map((b) => el("li", {}, b))) : null;
    show(predicted, limits, laws(answer, named));
    if (answer.state === "fitting") setTimeout(() => still() && place.isConnected && ask().catch(fail), 1000);
    if (answer.state === "ready") say(mean(answer.mean));
  });
  draw();
}

const signed = (x) => `${x > 0 ? "+" : ""}${x.toFixed(4)}`;
const mean = (m) => {
  const apart = m.low > 0 ? "worse" : m.high < 0 ? "better" : "not told apart";
  return `Predicted loss, against the run's own mixture: ${signed(m.change)} (95 %: ${signed(m.low)} to ${signed(m.high)}): ${apart}.`;
};

function laws(answer, named) {
  if (answer.state === "none") return el("p", {}, "No runs were trained or given: nothing predicts a loss for this mixture. Tokens and epochs are counted.");
  if (answer.state === "failed") return el("p", { class: "error" }, answer.why);
  if (answer.state === "fitting") return el("p", { role: "status" }, `Fitting laws to ${count(answer.runs)} runs …`);
  const off = answer.mean.change === 0 && answer.targets.every((t) => t.change === 0);
  return [
    el("p", { class: "lead" }, off ? "This is the run's own mixture: drag a share." : mean(answer.mean)),
    answer.beyond.length ? el("p", { class: "notice" }, `More than any run had, so the laws are beyond what they saw: ${answer.beyond.map((l) => named[l] || l).join(", ")}.`) : null,
    answer.left_out > 0.0005 ? el("p", {}, `No run speaks for ${share(answer.left_out)} of the tokens; predictions are about the rest.`) : null,
    el("p", { class: "hint" }, `Doubt is how the laws differ, and by how far ${count(answer.runs)} runs were from what they say when held out; it grows with the distance.`),
    table("Predicted loss by target", ["target", "loss", "change", "95 % interval", "law with most weight", "held-out error"], answer.targets.map((t) => [named[t.target] || t.target, t.loss.toFixed(4), signed(t.change), `${signed(t.low)} to ${signed(t.high)}`, t.law, t.warning ? `${number(t.error)}: ${t.warning}` : number(t.error)])),
  ];
}
