/** Editing what visitors read about a place. */

import { h } from "../page/dom.js";
import { isPlain } from "../page/facts.js";
import { t } from "../page/language.js";

/** @param {object} place PlaceBody; `onsave` gets the ImageChange of what was edited */
export function placeForm(place, { onsave, oncancel }) {
  const name = h("input", { required: true, maxlength: 500, value: place.name });
  const description = h("textarea", { rows: 4, maxlength: 20000 }, place.description);
  const facts = h("textarea", { rows: 3 }, factLines(place.metadata));
  const latitude = degrees(place.latitude, 90);
  const longitude = degrees(place.longitude, 180);

  function save(event) {
    event.preventDefault();
    const metadata = readFacts(facts.value, place.metadata);
    facts.setCustomValidity(metadata ? "" : t("place.facts.invalid"));
    if (!facts.reportValidity()) return;
    onsave({
      place_name: name.value.trim(),
      description: description.value.trim(),
      metadata,
      latitude: number(latitude),
      longitude: number(longitude),
    });
  }

  facts.addEventListener("input", () => facts.setCustomValidity(""));
  return h(
    "form",
    { class: "panel edit", onsubmit: save },
    field(t("place.name"), name),
    field(t("place.description"), description, t("place.description.help")),
    field(t("place.facts"), facts, t("place.facts.help")),
    h("div", { class: "row" }, field(t("place.latitude"), latitude), field(t("place.longitude"), longitude)),
    h(
      "div",
      { class: "row" },
      h("button", { class: "button primary" }, t("place.save")),
      h("button", { class: "button", type: "button", onclick: oncancel }, t("cancel")),
    ),
  );
}

const field = (label, input, help) =>
  h("label", { class: "field" }, h("span", {}, label), input, help && h("small", { class: "muted" }, help));

const degrees = (value, most) => h("input", { type: "number", step: "any", min: -most, max: most, value });

const number = (input) => (input.value === "" ? null : Number(input.value));

/** Plain metadata as lines of "name: value". */
function factLines(metadata) {
  const plain = Object.entries(metadata).filter(([, value]) => isPlain(value));
  return plain.map(([name, value]) => `${name}: ${value}`).join("\n");
}

/**
 * The metadata that such lines mean, or null where a line has no colon.
 * What lines cannot show (lists, nested objects) stays as it was, and so does a number that was not edited.
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
