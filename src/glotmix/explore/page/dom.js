// Elements, numbers and calls. Text becomes text nodes and attributes only: no string is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const show = (node, ...children) => node.replaceChildren(...children.flat(3).filter((c) => c));

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(n);
export const documents = (n) => `${count(n)} ${n === 1 ? "document" : "documents"}`;
export const share = (x, digits = 1) => `${(100 * x).toFixed(digits)} %`;
export const number = (x) => (x === null || x === undefined ? "–" : Number.isInteger(x) ? count(x) : String(Number(x.toPrecision(4))));
export function bytes(n) {
  for (const [unit, size] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (n >= size) return `${(n / size).toPrecision(3)} ${unit}`;
  }
  return `${count(n)} B`;
}

export class Told extends Error {
  constructor(message, fix) {
    super(message);
    this.fix = fix;
  }
}

export async function call(name, given = {}) {
  let answer;
  try {
    answer = await fetch(`api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
    });
  } catch {
    throw new Told("The explorer does not answer any more.", "start it again: glotmix explore RECIPE");
  }
  const told = await answer.json().catch(() => ({ error: `the answer was ${answer.status}` }));
  if (!answer.ok) throw new Told(told.error || `the answer was ${answer.status}`, told.fix);
  return told;
}

// Of several answers under way, only the last one that was asked for is shown.
export function latest(work) {
  let turn = 0;
  return async (...given) => {
    const mine = ++turn;
    return work(() => mine === turn, ...given);
  };
}

export function say(text) {
  document.getElementById("status").textContent = text;
}

export function fail(error) {
  const box = document.getElementById("error");
  box.hidden = false;
  show(box, el("p", {}, error.message), error.fix ? el("p", {}, "→ ", el("code", {}, error.fix)) : null);
  if (!(error instanceof Told)) console.error(error);
}

export function fine() {
  document.getElementById("error").hidden = true;
}

// Text of a document: its language chooses the shapes of letters, its own first strong letter the direction.
export const text = (content, tag, kind = "text") => el("div", { class: kind, lang: tag, dir: "auto" }, content);
export const name = (content) => el("bdi", {}, content);

export function select(id, label, options, value, changed) {
  const box = el("select", { id, onchange: () => changed(box.value) });
  for (const [key, said] of options) box.append(el("option", { value: key, selected: key === value }, said));
  if (value !== undefined && value !== null) box.value = value;
  return el("p", { class: "field" }, el("label", { for: id }, label), box);
}

export function field(id, label, attributes) {
  return el("p", { class: "field" }, el("label", { for: id }, label), el("input", { id, autocomplete: "off", spellcheck: "false", ...attributes }));
}

export const table = (caption, head, rows, attributes = {}) =>
  el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", attributes,
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((c, i) => (i ? el("td", {}, c) : el("th", { scope: "row" }, c))))))));

export function link(view, given, ...children) {
  return el("a", { href: hash(view, given) }, ...children);
}

export function hash(view, given = {}) {
  const held = Object.entries(given).filter(([, v]) => v !== "" && v !== null && v !== undefined);
  return `#${view}${held.length ? `?${new URLSearchParams(held)}` : ""}`;
}

export const verdict = (row) => el("span", { class: row.kept ? "kept" : "dropped" }, row.kept ? "kept" : `dropped by ${row.rule}`);
