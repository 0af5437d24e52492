// Documents: filters, a page of what passes them, and a search that says what it has looked at.

import { bytes, call, count, documents as documentsOf, el, fail, field, fine, hash, latest, link, name, number, say, select, share, show, text, verdict } from "./dom.js";

const PAGE = 50;

export function card(row, run, extra) {
  const language = run.langs.find((l) => l.code === row.lang);
  return el("li", { class: "card" },
    el("p", { class: "head" }, link("document", { id: row.id }, name(row.id)),
      el("span", {}, language ? language.name : row.lang, " ", el("span", { class: "code" }, row.lang)),
      el("span", {}, name(row.source)), verdict(row),
      el("span", {}, bytes(row.bytes)),
      row.quality !== null ? el("span", {}, `score ${number(row.quality)}`) : null,
      row.similarity !== undefined ? el("span", {}, `similarity ${row.similarity.toFixed(3)}`) : null,
      row.value !== null && row.value !== undefined ? el("span", {}, `value ${number(row.value)}`) : null),
    row.hit !== undefined
      ? el("div", { class: "text", lang: language && language.tag, dir: "auto" }, row.before, el("mark", {}, row.hit), row.after)
      : el("div", { class: "text", "data-row": row.row, lang: language && language.tag, dir: "auto" }, "…"),
    extra);
}

// The beginnings of texts come as they are read: what is on the page first.
export async function excerpts(place, still = () => true) {
  let waiting = [...place.querySelectorAll("[data-row]")];
  while (waiting.length && still()) {
    const told = await call("excerpts", { rows: waiting.map((node) => Number(node.dataset.row)) });
    for (const node of waiting) {
      const found = told.excerpts[node.dataset.row];
      if (found === undefined) continue;
      node.textContent = found;
      delete node.dataset.row;
    }
    waiting = waiting.filter((node) => node.dataset.row !== undefined && node.isConnected);
  }
}

export async function documents(place, given, run) {
  const now = { sort: "corpus", ...given };
  const results = el("section", { "aria-labelledby": "found" });
  const anything = [["", "any"]];
  const named = (values) => [...anything, ...values.map((v) => [v, v])];
  const change = (key) => (value) => {
    now[key] = value;
    now.from = "";
    if (key === "column" && !value) now.low = now.high = "";
    history.replaceState(null, "", hash("documents", now));
    list();
  };
  const filters = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    select("lang", "Language", [...anything, ...run.langs.map((l) => [l.code, `${l.name} (${l.code})`])], now.lang, change("lang")),
    select("source", "Source", named(run.sources), now.source, change("source")),
    select("state", "What became of it", [...anything, ["kept", "kept"], ["dropped", "dropped by any rule"], ...run.rules.map((r) => [r, `dropped by ${r}`])], now.state, change("state")),
    select("fails", "Fails the rule", named(run.failed), now.fails, change("fails")),
    select("column", "Score or measure", [["", "none"], ...Object.entries(run.columns).map(([c, meaning]) => [c, meaning ? `${c}: ${meaning}` : c])], now.column, change("column")),
    field("low", "from", { type: "number", step: "any", value: now.low || "", onchange: (e) => change("low")(e.target.value) }),
    field("high", "to", { type: "number", step: "any", value: now.high || "", onchange: (e) => change("high")(e.target.value) }),
    select("sort", "Order", [["corpus", "as in the corpus"], ["low", "lowest measure first"], ["high", "highest measure first"]], now.sort, change("sort")),
    run.domains.length ? select("domain", "Domain", named(run.domains), now.domain, change("domain")) : null,
    now.cluster ? el("p", { class: "field" }, "duplicates of ", name(now.cluster), " ", el("button", { type: "button", onclick: () => change("cluster")("") }, "all clusters")) : null,
    now.group ? el("p", { class: "field" }, "translations ", name(now.group), " ", el("button", { type: "button", onclick: () => change("group")("") }, "all documents")) : null);
  const words = field("words", "Text to search for (case does not count)", { type: "search", value: now.text || "", dir: "auto" });
  const search = el("form", { class: "search", role: "search", onsubmit: (event) => { event.preventDefault(); look(words.querySelector("input").value); } },
    words, el("button", {}, "Search"));
  show(place, search, filters, results);

  const list = latest(async (still) => {
    fine();
    try {
      const found = await call("filter", { ...now, from: Number(now.from || 0), count: PAGE });
      if (!still()) return;
      const from = Number(now.from || 0);
      const said = `${documentsOf(found.documents)} of ${count(found.of)}, ${bytes(found.bytes)}` +
        (found.documents ? `; ${share(found.kept / found.documents)} of them kept` : "");
      const go = (to) => () => { now.from = String(to); history.replaceState(null, "", hash("documents", now)); list(); };
      const cards = el("ol", { class: "cards", start: from + 1 }, found.rows.map((row) => card(row, run)));
      show(results, el("h2", { id: "found" }, said), facets(found, change), cards,
        el("p", { class: "pager" },
          el("button", { type: "button", disabled: from === 0, onclick: go(Math.max(from - PAGE, 0)) }, "Previous"),
          el("span", {}, found.documents ? `${count(from + 1)} – ${count(Math.min(from + PAGE, found.documents))}` : "none"),
          el("button", { type: "button", disabled: from + PAGE >= found.documents, onclick: go(from + PAGE) }, "Next")));
      say(said);
      await excerpts(cards, still);
    } catch (error) {
      if (still()) fail(error);
    }
  });

  const look = latest(async (still, wanted) => {
    fine();
    now.text = wanted;
    history.replaceState(null, "", hash("documents", now));
    if (!wanted.trim()) return list();
    try {
      let stopped = false;
      const head = el("h2", { id: "found" }, "Searching …");
      const cards = el("ol", { class: "cards" });
      const button = el("button", { type: "button" }, "Stop");
      show(results, head, el("p", {}, button), cards);
      let hits = 0;
      let told = await call("search", { ...now, text: wanted });
      const take = () => {
        for (const row of told.rows) cards.append(card(row, run));
        hits += told.rows.length;
        const all = told.done ? "all" : `${count(told.looked)} of`;
        head.textContent = `${count(hits)} found in ${all} ${documentsOf(told.of)}`;
      };
      take();
      const walk = async () => {
        button.textContent = "Stop";
        let shown = 0;
        while (!told.done && !stopped && still() && shown < 200) {
          told = await call("more", { walk: told.walk });
          if (!still()) return;
          shown += told.rows.length;
          take();
        }
        button.textContent = "Search further";
        button.hidden = told.done;
        say(head.textContent);
      };
      button.addEventListener("click", () => {
        stopped = button.textContent === "Stop";
        if (!stopped) walk().catch(fail);
      });
      await walk();
    } catch (error) {
      if (still()) fail(error);
    }
  });

  if (now.text) await look(now.text);
  else await list();
}

function facets(found, change) {
  const part = (title, counts, key) => el("details", {},
    el("summary", {}, `By ${title}: ${Object.keys(counts).length}`),
    el("ul", { class: "facet" }, Object.entries(counts).map(([key_, n]) => el("li", {},
      el("button", { type: "button", onclick: () => { document.getElementById(key).value = key_; change(key)(key_); } }, name(key_)), " ", count(n)))));
  return el("div", { class: "facets" }, part("language", found.langs, "lang"), part("source", found.sources, "source"), part("rule that dropped", found.rules, "state"));
}
