/* The page's behaviour: draw the plots, choose a score, filter the documents, sort the tables. No network, no state. */
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const made = (tag, properties) => Object.assign(document.createElement(tag), properties);

  // Plots are drawn once each, when they can be measured: a hidden one has no width.
  const drawn = new Map();
  async function draw(figure) {
    const chart = figure.querySelector(".chart");
    if (drawn.has(figure) || !chart.clientWidth) return;
    drawn.set(figure, null);
    const spec = JSON.parse(figure.querySelector("script").textContent);
    try {
      const result = await vegaEmbed(chart, spec, { mode: "vega-lite", renderer: "svg", actions: false });
      // What scrolls must be reached by keyboard.
      if (chart.scrollHeight > chart.clientHeight) chart.tabIndex = 0;
      drawn.set(figure, result.view);
      figure.dataset.drawn = "yes";
    } catch (error) {
      chart.textContent = `This plot could not be drawn: ${error.message}`;
      throw error;
    }
  }
  async function drawAll() {
    for (const figure of all(".plot")) {
      await draw(figure);
      await new Promise((rest) => setTimeout(rest));
    }
    document.documentElement.dataset.ready = "yes";
  }

  // What is folded is drawn when it is opened; an address within it opens it; paper has no folds.
  for (const fold of all("details")) fold.addEventListener("toggle", () => fold.open && all(".plot", fold).forEach(draw));
  function unfold() {
    const there = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!there) return;
    for (const fold of all("details", there).slice(0, there.matches(".folded") ? 1 : 0)) fold.open = true;
    for (let up = there.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
    there.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => all("details").forEach((fold) => (fold.open = true)));

  const chooser = document.getElementById("score");
  function choose() {
    for (const score of all(".score")) {
      score.hidden = score.dataset.score !== chooser.value;
      if (!score.hidden) all(".plot", score).forEach(draw);
    }
  }

  // A list of documents shows those that match every filter on it, `limit` at a time.
  function refresh(list) {
    const filters = all(`[data-filter="#${list.id}"]`).filter((select) => select.value);
    const documents = all(".doc", list);
    const match = documents.filter((d) => filters.every((select) => d.dataset[select.dataset.key] === select.value));
    const limit = Number(list.dataset.limit) || Infinity;
    const shown = new Set(match.slice(0, limit));
    documents.forEach((d) => (d.hidden = !shown.has(d)));
    all("details", list).forEach((group) => (group.hidden = !all(".doc", group).some((d) => shown.has(d))));
    let more = list.nextElementSibling;
    if (!more || !more.matches("button.more")) {
      more = made("button", { type: "button", className: "more" });
      more.onclick = () => { list.dataset.limit = Number(list.dataset.limit) * 2; refresh(list); };
      list.after(more);
    }
    more.hidden = shown.size > 0 && shown.size === match.length;
    more.disabled = !match.length;
    more.textContent = match.length ? `Show more (${match.length - shown.size} left)` : "No document matches";
  }

  function sortable(table) {
    const body = table.tBodies[0];
    all("thead th", table).forEach((head, column) => {
      const button = made("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const numbers = all(`tr > :nth-child(${column + 1})`, body).some((cell) => cell.dataset.v);
        const down = head.ariaSort ? head.ariaSort === "ascending" : numbers;
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.ariaSort = down ? "descending" : "ascending";
        const value = (row) => {
          const cell = row.children[column];
          return numbers ? (cell.dataset.v ? Number(cell.dataset.v) : -Infinity) : cell.textContent.trim();
        };
        const order = (a, b) => (numbers ? a - b : a.localeCompare(b));
        body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a), value(b))));
      };
    });
  }

  if (chooser) { chooser.onchange = choose; choose(); }
  for (const id of new Set(all("[data-filter]").map((select) => select.dataset.filter))) {
    const list = document.querySelector(id);
    all(`[data-filter="${id}"]`).forEach((select) => (select.onchange = () => refresh(list)));
    refresh(list);
  }
  all("table.sortable").forEach(sortable);
  unfold();
  drawAll();
})();
