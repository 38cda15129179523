/** Names and descriptions in further languages, as a part of a form. */

import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { nameOfLanguage } from "../page/language_names.js";

const FREQUENT = ["zh-Hans", "zh-Hant", "en", "ja", "ko", "fr", "de", "es", "it", "pt", "ru", "ar", "th", "vi"];

/** The name of a language in the page's language, with its tag. */
export function languageName(tag) {
  const name = nameOfLanguage(tag);
  return name === tag ? tag : `${name} (${tag})`;
}

/** An input for a language tag (BCP 47), and its suggestions, which belong outside its label; it may be empty. */
export function languageInput(attributes) {
  const names = FREQUENT.map((tag) => h("option", { value: tag }, languageName(tag)));
  const oninput = () => tag.setCustomValidity(tag.value && !canonical(tag.value) ? t("texts.tag.invalid") : "");
  const tag = h("input", { list: "languages", maxlength: 35, autocomplete: "off", oninput, ...attributes });
  return { tag, suggestions: h("datalist", { id: "languages" }, names) };
}

/** A tag in its usual spelling; null if it is none. */
export function canonical(tag) {
  try {
    return Intl.getCanonicalLocales(tag.trim())[0] ?? null;
  } catch {
    return null;
  }
}

/**
 * The editor: {element, value, setCustomValidity}, so that a form uses it as it does an input. The value is JSON:
 * {name, description, machine_translated} by language tag.
 */
export function textsEditor() {
  const rows = new Map(); // by tag: {element, read}
  const list = h("div", { class: "folded-body" });
  const onkeydown = (event) => event.key === "Enter" && (event.preventDefault(), append()); // it would save the form
  const words = { "aria-label": t("texts.tag"), placeholder: t("texts.tag.help") };
  const { tag, suggestions } = languageInput({ ...words, onkeydown });
  const add = h("button", { class: "button", type: "button", onclick: append }, icon("plus"), t("texts.add"));
  const changed = () => list.dispatchEvent(new Event("input", { bubbles: true }));

  function append() {
    const chosen = canonical(tag.value);
    if (!chosen) return tag.reportValidity() && tag.focus();
    if (!rows.has(chosen)) draw(chosen, {});
    rows.get(chosen).element.querySelector("input").focus();
    tag.value = "";
    changed();
  }

  function draw(language, { name = "", description = "", machine_translated: isMachine = false }) {
    const title = h("input", { maxlength: 500, lang: language, dir: "auto" });
    const text = h("textarea", { rows: 4, maxlength: 20000, lang: language, dir: "auto" }, description);
    const mark = h("input", { type: "checkbox", checked: isMachine });
    title.value = name;
    const label = (words, input) => h("label", { class: "field" }, h("span", {}, words), input);
    const named = languageName(language);
    const remove = () => {
      rows.get(language).element.remove();
      rows.delete(language);
      tag.focus();
      changed();
    };
    const row = h(
      "fieldset",
      { class: "folded-body" },
      h("legend", {}, named),
      label(t("place.name"), title),
      label(t("place.description"), text),
      h(
        "div",
        { class: "row" },
        h("label", { class: "check" }, mark, t("texts.machine")),
        h("button", { class: "button small", type: "button", onclick: remove }, icon("bin"), t("texts.remove", { language: named })),
      ),
    );
    const read = () => ({ name: title.value.trim(), description: text.value.trim(), machine_translated: mark.checked });
    rows.set(language, { element: row, read });
    list.append(row);
  }

  return {
    element: h(
      "details",
      { class: "panel folded" },
      h("summary", {}, h("h2", {}, t("texts.title"))),
      h("div", { class: "folded-body" }, h("p", { class: "muted" }, t("texts.help")), list, h("div", { class: "row" }, tag, add), suggestions),
    ),
    get value() {
      return JSON.stringify(Object.fromEntries([...rows].map(([language, { read }]) => [language, read()])));
    },
    set value(json) {
      list.replaceChildren();
      rows.clear();
      for (const [language, text] of Object.entries(JSON.parse(json))) draw(language, text);
      this.element.open = rows.size > 0;
    },
    setCustomValidity() {}, // the inputs set their own
  };
}

/** The change that turns the texts of one value of the editor into those of another; null deletes a text. */
export function textChanges(before, after) {
  const [former, current] = [before, after].map((value) => JSON.parse(value));
  const isSame = (tag) => JSON.stringify(former[tag]) === JSON.stringify(current[tag]);
  const tags = Object.keys({ ...former, ...current }).filter((tag) => !isSame(tag));
  return Object.fromEntries(tags.map((tag) => [tag, current[tag] ?? null]));
}
