// One document: its text, what became of it and why, every number of it, its duplicates, translations and neighbours.

import { bytes, call, count, el, fail, link, name, number, say, show, text, verdict } from "./dom.js";
import { card, excerpts } from "./documents.js";

export async function one(place, given, run, heading) {
  const told = await call("document", given.id ? { id: given.id } : { row: Number(given.row) });
  show(heading, "Document ", name(told.id));
  const language = run.langs.find((l) => l.code === told.lang);
  const beside = el("section", { "aria-live": "polite" });
  const near = el("section", {});
  const reasons = [
    told.evidence ? el("p", {}, "Because: ", name(told.evidence)) : null,
    told.duplicate_of ? el("p", {}, "In favour of ", link("document", { id: told.duplicate_of }, name(told.duplicate_of))) : null,
    told.failed.length > 1 || (told.kept && told.failed.length)
      ? el("p", {}, "It fails: ", told.failed.join(", ")) : null,
    told.borderline.length ? el("p", {}, `Within a hair of a line, and not dropped for it: ${told.borderline.join(", ")}`) : null,
  ];
  show(place,
    el("p", { class: "head" }, language.name, " ", el("span", { class: "code" }, told.lang), " from ", name(told.source), ", ", verdict(told), ", ",
      bytes(told.bytes), told.license ? [", licence ", name(told.license)] : ""),
    reasons,
    el("h2", {}, "Text"),
    text(told.text, told.tag, "text whole"),
    told.more ? el("p", {}, `${count(told.more)} characters follow.`) : null,
    others(told.members, "Near-duplicates", told, run, beside, true),
    others(told.translations, "Translations", told, run, beside, false),
    beside,
    run.embedders.length ? el("h2", {}, "Neighbours by meaning") : null,
    el("p", {}, run.embedders.flatMap((which) => [false, true].map((other) =>
      el("button", { type: "button", onclick: () => neighbours(near, told, which, other, run).catch(fail) },
        other ? `in other languages (${which})` : `in all languages (${which})`)))),
    near,
    el("h2", {}, "What was measured"),
    el("div", { class: "signals" }, Object.entries(told.signals).map(([signal, values]) => el("table", {},
      el("caption", {}, signal),
      el("tbody", {}, Object.entries(values).map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, key),
        el("td", {}, typeof value === "number" ? number(value) : value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value)))))))),
    el("p", {}, link("thresholds", { lang: told.lang }, `The thresholds of ${language.name}`)));
}

function others(rows, title, told, run, beside, alike) {
  if (!rows.length) return null;
  return el("section", {}, el("h2", {}, `${title}: ${count(rows.length)}`),
    el("ul", { class: "plain" }, rows.map((row) => el("li", {},
      link("document", { id: row.id }, name(row.id)), ` ${row.lang}, `, name(row.source), ", ", verdict(row), ", ", bytes(row.bytes), " ",
      el("button", { type: "button", onclick: () => compare(beside, told, row, run, alike).catch(fail) }, "side by side")))));
}

async function compare(place, left, right, run, alike) {
  const told = await call("differences", { left: left.row, right: right.row });
  const side = (mine, which) => el("div", { class: "side" },
    el("h3", {}, name(mine.id)),
    el("p", { class: "head" }, mine.lang, ", ", name(mine.source), ", ", verdict(mine)),
    el("div", { class: "text whole", lang: mine.tag, dir: "auto" },
      told.segments.filter(([kind]) => kind === "same" || kind === which)
        .map(([kind, content]) => (kind === "same" || !alike ? content : el(which === "left" ? "del" : "ins", {}, content)))));
  const changed = told.segments.filter(([kind]) => kind !== "same").length;
  show(place, el("h2", {}, "Side by side"),
    el("p", {}, alike ? (changed ? `${count(changed)} differences, marked on both sides.` : "The texts are the same.") : "Two languages: nothing is marked.",
      told.cut ? " Only the first 20,000 characters of each are compared." : ""),
    el("div", { class: "sides" }, side(told.left, "left"), side(told.right, "right")));
  place.scrollIntoView({ block: "nearest" });
  say(`${changed} differences`);
}

async function neighbours(place, told, embedder, other, run) {
  const head = el("p", {}, "Looking …");
  const cards = el("ol", { class: "cards" });
  show(place, head, cards);
  let found = await call("neighbours", { row: told.row, embedder, other });
  const said = () => {
    head.textContent = found.done ? `Nearest of all ${count(found.of)} documents` : `Nearest of ${count(found.looked)} of ${count(found.of)} documents so far`;
  };
  said();
  while (!found.done && place.isConnected) {
    found = await call("more", { walk: found.walk });
    said();
  }
  show(cards, found.rows.map((row) => card(row, run)));
  say(head.textContent);
  await excerpts(cards, () => cards.isConnected);
}
