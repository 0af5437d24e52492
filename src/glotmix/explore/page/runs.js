// Two runs of one corpus beside each other: what moves, by language and source, with examples.

import { bytes, call, count, el, link, name, show, table } from "./dom.js";

export async function runs(place, given, run) {
  if (!run.beside) {
    show(place, el("p", {}, "Only one run was opened. To see another of the same corpus beside it:"),
      el("p", {}, el("code", {}, `glotmix explore ${run.recipe} --beside OTHER`)),
      el("p", {}, "OTHER is a recipe, or the folder that it filled."));
    return;
  }
  const told = await call("compare");
  const change = (was, is) => `${count(was)} → ${count(is)} (${is >= was ? "+" : "−"}${count(Math.abs(is - was))})`;
  const examples = (rows, title) => rows.length ? [el("h3", {}, title), el("ul", { class: "plain" }, rows.map((r) => el("li", {},
    link("document", { id: r.id }, name(r.id)), ` ${r.lang}, `, name(r.source), ": ", r.rule || "", " ", name(r.evidence || ""))))] : null;
  show(place,
    el("p", {}, "This run → ", name(told.other)),
    el("p", { class: "lead" }, `Documents kept: ${change(told.kept.one, told.kept.other)}. Bytes kept: ${change(told.bytes.one, told.bytes.other)}.`),
    el("p", {}, `${count(told.documents.both)} documents stand in both runs.`),
    told.moved.length
      ? table("What moves, by language and source", ["language", "source", "come back", "bytes", "go", "bytes"], told.moved.map((m) => [m.lang, name(m.source), count(m.back), bytes(m.back_bytes), count(m.gone), bytes(m.gone_bytes)]))
      : el("p", {}, "No document moves."),
    examples(told.examples.back, "Kept by the other run alone"), examples(told.examples.gone, "Kept by this run alone"));
}
