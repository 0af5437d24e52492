// Which view is shown, by the address after #: what is shown can be bookmarked, and the back button works.

import { bytes, call, count, documents as documentsOf, el, fail, fine, say, share, show } from "./dom.js";
import { documents } from "./documents.js";
import { one } from "./document.js";
import { thresholds } from "./thresholds.js";
import { mixture } from "./mixture.js";
import { runs } from "./runs.js";

const VIEWS = {
  documents: ["Documents", documents],
  document: ["One document", one],
  thresholds: ["Thresholds", thresholds],
  mixture: ["Mixture", mixture],
  runs: ["Two runs", runs],
};

let run = null;
let before = "";

function asked() {
  const [view, query] = location.hash.slice(1).split("?");
  return [VIEWS[view] ? view : "documents", Object.fromEntries(new URLSearchParams(query || ""))];
}

async function draw() {
  if (location.hash === "#main") {
    document.getElementById("main").focus();
    return;
  }
  const [view, given] = asked();
  fine();
  for (const link of document.querySelectorAll("nav a")) {
    const mine = link.dataset.view === view || (view === "document" && link.dataset.view === "documents");
    if (mine) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [title, make] = VIEWS[view];
  const shown = `${title} · ${run.name} · glotmix explorer`;
  document.title = shown;
  const heading = el("h1", { tabindex: "-1" }, title);
  const place = el("div", {});
  show(document.getElementById("view"), heading, place);
  try {
    await make(place, given, run, heading);
  } catch (error) {
    fail(error);
  }
  // Who reads by ear hears where they are; the first view leaves the focus where it was.
  if (before && before !== view) heading.focus();
  before = view;
  document.documentElement.dataset.ready = view;
}

async function start() {
  try {
    run = await call("run");
  } catch (error) {
    show(document.getElementById("view"));
    fail(error);
    return;
  }
  document.getElementById("run-name").textContent = run.name;
  document.getElementById("run-size").textContent =
    `${documentsOf(run.documents)}, ${bytes(run.bytes)}; ${share(run.kept / run.documents)} kept`;
  if (run.stale.length) {
    const notice = document.getElementById("notice");
    notice.hidden = false;
    show(notice, `The recipe or its data changed since this run: ${run.stale.join(", ")} would be made again. Shown is what was made. `,
      el("code", {}, `glotmix run ${run.recipe}`), " makes it again.");
  }
  say(`${count(run.documents)} documents`);
  addEventListener("hashchange", draw);
  draw();
}

addEventListener("unhandledrejection", (event) => fail(event.reason));
start();
