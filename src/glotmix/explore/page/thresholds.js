// Thresholds that move: a slider for each rule and language, what it would change, and the settings to copy.

import { bytes, call, count, documents as documentsOf, el, fail, fine, hash, latest, name, number, say, select, share, show, svg, table } from "./dom.js";
import { card, excerpts } from "./documents.js";

// Lines that were taken, of all languages: kept while the page is open.
const taken = new Map();

export async function thresholds(place, given, run) {
  const now = { lang: given.lang || run.langs[0].code, rule: given.rule || "" };
  const chosen = el("div", {});
  const rules = el("section", { "aria-label": "All lines" });
  const panel = el("section", { id: "panel", "aria-label": "The line" });
  const copy = el("section", { "aria-label": "Settings to copy" });
  const go = () => history.replaceState(null, "", hash("thresholds", now));
  const choose = (rule) => {
    now.rule = rule;
    go();
    document.getElementById("rule").value = rule;
    lever().catch(fail);
  };
  show(place,
    el("p", {}, "Move a line and see at once what it would drop and bring back. Nothing is changed: take the settings that you like, and copy them into the recipe."),
    el("div", { class: "filters" },
      select("lang", "Language", run.langs.map((l) => [l.code, `${l.name} (${l.code})`]), now.lang, (value) => {
        now.lang = value;
        go();
        list().catch(fail);
      }), chosen),
    panel, copy, rules);

  const list = latest(async (still) => {
    fine();
    const told = await call("lines", { lang: now.lang });
    if (!still()) return;
    const language = run.langs.find((l) => l.code === now.lang).name;
    const row = (line) => [
      el("button", { type: "button", onclick: () => { choose(line.rule); panel.scrollIntoView(); } }, line.rule),
      setting(line.set), number(line.drawn), count(line.fails), line.origin, line.judged ? `${line.judged}${line.weighed ? "; the rater weighs it" : ""}` : "not measured",
    ];
    const head = ["rule", "set to", "line stands at", "documents that fail", "set by", "of judged text it finds"];
    const drawn = (l) => l.set !== null || l.fails;
    const on = told.lines.filter(drawn).sort((a, b) => b.fails - a.fails);
    const off = told.lines.filter((l) => !drawn(l));
    if (!told.lines.some((l) => l.rule === now.rule)) now.rule = [...on, ...off][0].rule;
    const said = (l) => [l.rule, `${l.rule}: ${drawn(l) ? `${count(l.fails)} fail` : "off"}`];
    show(chosen, select("rule", "Rule", [...on, ...off].map(said), now.rule, choose));
    show(rules, told.retains ? el("p", { class: "notice" }, told.retains) : null,
      el("details", {}, el("summary", {}, `All ${on.length} lines that are drawn`), table(`Lines of ${language}, ${documentsOf(told.documents)}`, head, on.map(row))),
      off.length ? el("details", {}, el("summary", {}, `${off.length} lines that are not drawn`), table("Lines that are not drawn", head, off.map(row))) : null);
    await lever();
  });

  const lever = latest(async (still) => {
    const at = { lang: now.lang, rule: now.rule };
    const scale = await call("scale", at);
    if (still()) draw(panel, scale, at, run, () => settings(copy, run).catch(fail));
  });

  settings(copy, run).catch(fail);
  await list();
}

function setting(value) {
  if (value === null) return "off";
  return typeof value === "object" ? `quantile ${value.quantile}` : typeof value === "number" ? number(value) : String(value);
}

function draw(panel, scale, at, run, took) {
  if (!scale.places.length) {
    show(panel, el("h2", {}, scale.rule), el("p", {}, "No document of this language has this number."));
    return;
  }
  const shares = scale.shares.length ? scale.shares : null;
  const quantiles = scale.quantiles.length ? scale.quantiles : null;
  // It begins where the line stands, so that nothing would change.
  let how = quantiles && scale.enough && scale.set !== null && typeof scale.set === "object" ? "quantile" : "number";
  let off = scale.present === null;
  let exact = how === "quantile" ? scale.set.quantile : null;
  const last = scale.places.length - 1;
  const slider = el("input", { type: "range", id: "slider", min: "0", max: String(last), step: "1", value: String(scale.now ?? 0), "aria-describedby": "told", oninput: () => { exact = null; off = box.checked = false; moved().catch(fail); } });
  const box = el("input", { type: "checkbox", id: "off", onchange: () => { off = box.checked; moved().catch(fail); } });
  box.checked = off;
  const place = el("input", { type: "number", step: "any", id: "exact", onchange: () => { exact = place.value === "" ? null : Number(place.value); off = box.checked = false; moved().catch(fail); } });
  const line = svg("line", { class: "line", y1: "0", y2: "80" });
  const plot = histogram(scale, line);
  const told = el("p", { id: "told", class: "lead" });
  const detail = el("div", {});
  const ways = quantiles && scale.enough
    ? select("how", "Write it as", [["number", "a number: drops all beyond it"], ["quantile", "a quantile: spares what is usual in other text of its length"]], how, (value) => { how = value; exact = null; moved().catch(fail); })
    : quantiles ? el("p", { class: "hint" }, `A quantile needs ${count(scale.least)} documents, and ${at.lang} has ${count(scale.documents)}: a number is written.`) : null;
  const take = el("button", { type: "button" }, "Take this setting");
  show(panel, el("h2", {}, scale.rule), el("p", {}, `${scale.meaning.charAt(0).toUpperCase()}${scale.meaning.slice(1)}. `, scale.side === "high" ? "Documents above the line fail." : "Documents below the line fail.", ` ${documentsOf(scale.documents)} are judged by it.`),
    plot,
    el("p", { class: "slider" }, el("label", { for: "slider" }, "Line, from loose to strict"), slider),
    el("div", { class: "filters" }, el("p", { class: "field" }, el("label", { for: "exact" }, shares ? "share of good text" : how), place), ways,
      scale.rule === "quality" ? null : el("p", { class: "field" }, el("label", { for: "off" }, "no line"), box), take),
    told, detail);

  const value = () => {
    if (off) return null;
    if (exact !== null) return exact;
    const i = Number(slider.value);
    return shares ? shares[i] : how === "quantile" ? quantiles[i] : scale.places[i];
  };

  const moved = latest(async (still) => {
    const i = Number(slider.value);
    const given = value();
    place.value = given === null ? "" : String(Number(given.toPrecision(7)));
    const where = off ? null : exact === null ? scale.places[i] : null;
    mark(line, scale, where);
    slider.setAttribute("aria-valuetext", off ? "no line" : `${number(given)}, ${documentsOf(scale.documents ? countAt(scale, i) : 0)} beyond`);
    const answer = await call("moved", { ...at, value: given, how });
    if (!still()) return;
    fine();
    mark(line, scale, answer.place);
    // A derived line and a number differ: the words say what the ledger would do.
    const said = `${documentsOf(answer.go.documents)} (${bytes(answer.go.bytes)}) would go, ${documentsOf(answer.back.documents)} (${bytes(answer.back.bytes)}) would come back.`;
    told.textContent = said;
    take.onclick = () => {
      taken.set(`${at.lang} ${answer.setting.key}`, { lang: at.lang, ...answer.setting });
      took();
      say(`${answer.setting.key} of ${at.lang} was taken`);
    };
    const near = (rows, title) => rows.length ? [el("h3", {}, title), el("ul", { class: "cards plain" }, rows.map((row) => card(row, run)))] : null;
    show(detail,
      el("p", {}, answer.place === null ? "No line is drawn: no document fails this rule." : `In all, ${documentsOf(answer.falls.documents)} (${bytes(answer.falls.bytes)}) fail at ${number(answer.place)}; ${count(answer.already.documents)} of them fail another rule, too.`,
        answer.back_but.documents ? ` ${documentsOf(answer.back_but.documents)} would pass this rule and still fall: below the line of quality, or as duplicates.` : "",
        answer.replaced ? ` In the place of ${count(answer.replaced)} that go, a duplicate would stand.` : "",
        scale.weighed && how === "quantile" ? " The rater weighs this measure with all others, so a derived line through it drops nothing by itself; a number does." : "",
        " Other rules are taken as they stand; ", el("code", {}, "--what-if"), " decides everything anew."),
      el("p", {}, labels(answer.labels, scale)),
      table("What would go and come back, by source", ["source", "documents", "kept now", "would go", "bytes", "come back", "bytes"],
        answer.sources.map((s) => [name(s.source), count(s.of), count(s.kept), count(s.go), bytes(s.go_bytes), count(s.back), bytes(s.back_bytes)])),
      near(answer.near.beyond, "Just beyond the line"), near(answer.near.within, "Just within it"));
    say(said);
    await excerpts(detail, still);
  });
  moved().catch(fail);
}

const countAt = (scale, i) => scale.beyond[i];

function labels(told, scale) {
  if (!told) return "Labels: not measured. No judged text of this language speaks of this rule.";
  const [[good, goods], [bad, bads]] = [told.good, told.bad];
  const of = (k, n) => (n ? `${count(k)} of ${count(n)} (${share(k / n)})` : "0 of 0");
  return ["Labels: beyond the line lie ", el("strong", {}, `${of(bad, bads)} ${told.names[1]}`), " and ", el("strong", {}, `${of(good, goods)} ${told.names[0]}`), " judged texts, from ", name(told.origin), goods + bads < 30 ? ". Few: read little into it." : "."];
}

function histogram(scale, line) {
  const most = Math.max(...scale.heights, 1);
  const width = 640 / Math.max(scale.heights.length, 1);
  const bars = scale.heights.map((h, i) => svg("rect", { x: String(i * width), y: String(80 - Math.max((72 * Math.log1p(h)) / Math.log1p(most), h ? 1 : 0)), width: String(Math.max(width - 1, 1)), height: "80" }));
  const picture = svg("svg", { viewBox: "0 0 640 80", preserveAspectRatio: "none", "aria-hidden": "true" }, bars, line);
  return el("figure", { class: "histogram" }, picture,
    el("figcaption", {}, el("span", {}, number(scale.edges[0])), el("span", {}, "documents by value; a bar twice as high holds many times more"), el("span", {}, number(scale.edges[scale.edges.length - 1]))));
}

function mark(line, scale, where) {
  const [low, high] = [scale.edges[0], scale.edges[scale.edges.length - 1]];
  line.style.display = where === null ? "none" : "";
  if (where === null) return;
  const x = high > low ? (640 * (Math.min(Math.max(where, low), high) - low)) / (high - low) : 320;
  line.setAttribute("x1", String(x));
  line.setAttribute("x2", String(x));
}

async function settings(place, run) {
  if (!taken.size) {
    show(place);
    return;
  }
  const told = await call("written", { moved: [...taken.values()] });
  const copied = (what, id, said) => el("button", { type: "button", onclick: async (event) => {
    const box = document.getElementById(id);
    box.select();
    try {
      await navigator.clipboard.writeText(what);
      event.target.textContent = "Copied";
    } catch {
      event.target.textContent = "Selected: press Ctrl-C";
    }
  } }, said);
  show(place, el("h2", {}, "Settings to copy"),
    el("p", {}, el("label", { for: "yaml" }, "Into the recipe:")),
    el("textarea", { id: "yaml", readonly: true, rows: String(told.yaml.split("\n").length), spellcheck: "false" }, told.yaml),
    el("p", {}, copied(told.yaml, "yaml", "Copy"), " ", el("button", { type: "button", onclick: () => { taken.clear(); settings(place, run); } }, "Forget them")),
    el("p", {}, el("label", { for: "command" }, "All that they would change, counted by the command line; it writes nothing:")),
    el("textarea", { id: "command", readonly: true, rows: "3", spellcheck: "false" }, told.command),
    el("p", {}, copied(told.command, "command", "Copy")));
}
