// One document at a time, one key each. Text becomes text nodes alone: no string is ever read as markup.

const at = (id) => document.getElementById(id);
const PROPERTIES = [["adult", "a", "adult"], ["machine_translated", "m", "machine-translated"], ["wrong_language", "w", "wrong language"]];
const ANSWERS = [["natural", "n", "natural"], ["unnatural", "u", "unnatural"], ["save", "Enter", "only what is ticked"], ["skip", "s", "skip"], ["undo", "z", "take the last one back"]];
let shown = null;
let busy = false;

async function call(name, given) {
  const answer = await fetch(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.fix ? `${told.error} → ${told.fix}` : told.error);
  return told;
}

function show(state) {
  shown = state.document;
  document.title = `glotmix label ${state.lang}`;
  at("title").textContent = `Is this natural ${state.name}?`;
  at("progress").textContent = `${state.done} judged, ${state.left} left`;
  at("document").hidden = at("properties").hidden = shown === null;
  at("end").hidden = shown !== null;
  at("end").textContent = shown === null ? `Done: the labels are in ${state.file}. To learn from them: ${state.next}` : "";
  for (const [name] of PROPERTIES) at(name).checked = false;
  for (const [name] of ANSWERS) at(`answer-${name}`).hidden = shown === null && name !== "undo";
  if (shown === null) return;
  at("where").textContent = `from ${shown.source}`;
  const text = at("text");
  text.textContent = shown.text;
  text.lang = state.tag;
  text.dir = state.dir;
  text.scrollTop = 0;
  at("rest").hidden = shown.rest === 0;
  at("rest").textContent = `and ${shown.rest} more characters`;
  at("document").focus({ preventScroll: true });
}

async function answer(name) {
  if (busy) return;
  busy = true;
  at("error").hidden = true;
  try {
    if (name === "undo") show(await call("undo", {}));
    else if (shown !== null) {
      const given = { id: shown.id, answer: name };
      for (const [property] of PROPERTIES) given[property] = at(property).checked;
      show(await call("judge", given));
    }
  } catch (error) {
    at("error").textContent = error.message;
    at("error").hidden = false;
  }
  busy = false;
}

for (const [name, key, said] of PROPERTIES) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.id = name;
  const label = document.createElement("label");
  const hint = document.createElement("kbd");
  hint.textContent = key;
  label.append(box, ` ${said} `, hint);
  at("properties").append(label);
}
for (const [name, key, said] of ANSWERS) {
  const button = document.createElement("button");
  button.type = "button";
  button.id = `answer-${name}`;
  const hint = document.createElement("kbd");
  hint.textContent = key;
  button.append(`${said} `, hint);
  button.addEventListener("click", () => answer(name));
  at("answers").append(button);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  // Enter on a button presses the button.
  if (event.key === "Enter" && event.target.tagName === "BUTTON") return;
  const property = PROPERTIES.find(([, key]) => key === event.key.toLowerCase());
  const given = ANSWERS.find(([, key]) => key.toLowerCase() === event.key.toLowerCase());
  if (property && shown !== null) at(property[0]).checked = !at(property[0]).checked;
  else if (given) answer(given[0]);
  else return;
  event.preventDefault();
});
call("state", {}).then(show, (error) => {
  at("error").textContent = error.message;
  at("error").hidden = false;
});
