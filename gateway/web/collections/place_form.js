/** The form for the texts that visitors read about a place. */

import { h } from "../page/dom.js";
import { isPlain } from "../page/facts.js";
import { t } from "../page/language.js";
import { forgetDraft, keepDraft, readDraft } from "./drafts.js";
import { textChanges, textsEditor } from "./texts.js";

/**
 * @param {object} place PlaceBody; `onsave` gets a PlaceChange with the edited fields only, because another person
 *   may have changed the others
 * @param {string} draft name under which unsaved changes are stored
 */
export function placeForm(place, { draft, onsave, oncancel }) {
  const kept = readDraft(draft);
  const before = { ...valuesOf(place), ...kept?.before };
  const now = { ...before, ...kept?.after };
  const inputs = {
    name: h("input", { required: true, maxlength: 500 }),
    description: h("textarea", { rows: 4, maxlength: 20000 }),
    metadata: h("textarea", { rows: 3 }),
    latitude: degrees(90),
    longitude: degrees(180),
    texts: textsEditor(),
  };
  const { metadata: facts } = inputs;
  const note = h("p", { class: "notice", role: "status", hidden: !kept }, t("place.draft"));
  const names = Object.keys(inputs);
  for (const name of names) inputs[name].value = now[name];
  const edited = () => names.filter((name) => inputs[name].value !== before[name]);

  function oninput() {
    for (const name of names) inputs[name].setCustomValidity("");
    const after = Object.fromEntries(names.map((name) => [name, inputs[name].value]));
    if (edited().length > 0) keepDraft(draft, { before, after });
    else forgetDraft(draft);
    note.hidden = edited().length === 0;
  }

  function save(event) {
    event.preventDefault();
    const metadata = readFacts(facts.value, place.metadata);
    facts.setCustomValidity(metadata ? "" : t("place.facts.invalid"));
    const { latitude, longitude } = inputs;
    const isHalf = (latitude.value === "") !== (longitude.value === "");
    (latitude.value ? longitude : latitude).setCustomValidity(isHalf ? t("place.position.half") : "");
    if (!event.target.reportValidity()) return;
    const texts = ({ value }) => textChanges(before.texts, value);
    const read = { metadata: () => metadata, latitude: number, longitude: number, texts };
    const position = edited().some((name) => read[name] === number) ? ["latitude", "longitude"] : [];
    const sent = new Set([...edited(), ...position]);
    onsave(Object.fromEntries([...sent].map((name) => [name, (read[name] ?? text)(inputs[name])])));
  }

  function cancel() {
    forgetDraft(draft);
    oncancel();
  }

  return h(
    "form",
    { class: "panel edit", onsubmit: save, oninput },
    field(t("place.name"), inputs.name),
    field(t("place.description"), inputs.description, t("place.description.help")),
    inputs.texts.element,
    field(t("place.facts"), facts, t("place.facts.help")),
    h("div", { class: "row" }, field(t("place.latitude"), inputs.latitude), field(t("place.longitude"), inputs.longitude)),
    note,
    h(
      "div",
      { class: "row" },
      h("button", { class: "button primary" }, t("place.save")),
      h("button", { class: "button", type: "button", onclick: cancel }, t("cancel")),
    ),
  );
}

/** The form's values for a place. */
const valuesOf = ({ name, description, metadata, latitude, longitude, texts }) => ({
  name,
  description,
  metadata: factLines(metadata),
  latitude: String(latitude ?? ""),
  longitude: String(longitude ?? ""),
  texts: JSON.stringify(editable(texts)),
});

/** The fields of texts that the form has; recordings have a dialog of their own. */
function editable(texts) {
  const isText = ([, { name, description }]) => name || description;
  const fields = ([tag, { name, description, machine_translated }]) => [tag, { name, description, machine_translated }];
  return Object.fromEntries(Object.entries(texts).filter(isText).map(fields));
}

const field = (label, input, help) =>
  h("label", { class: "field" }, h("span", {}, label), input, help && h("small", { class: "muted" }, help));

const degrees = (most) => h("input", { type: "number", step: "any", min: -most, max: most });

const text = (input) => input.value.trim();

const number = (input) => (input.value === "" ? null : Number(input.value));

/** Metadata with plain values as lines of "name: value". */
function factLines(metadata) {
  const plain = Object.entries(metadata).filter(([, value]) => isPlain(value));
  return plain.map(([name, value]) => `${name}: ${value}`).join("\n");
}

/**
 * Parses such lines to metadata; null if a line has no colon.
 * Values that lines cannot show (lists, nested objects) are kept, and so are numbers that were not edited.
 */
function readFacts(text, before) {
  const after = Object.fromEntries(Object.entries(before).filter(([, value]) => !isPlain(value)));
  for (const line of text.split("\n").filter((line) => line.trim())) {
    const [, name, value] = line.match(/^\s*([^:：]+?)\s*[:：]\s*(.*?)\s*$/) ?? [];
    if (!name) return null;
    after[name] = String(before[name]) === value ? before[name] : value;
  }
  return after;
}
