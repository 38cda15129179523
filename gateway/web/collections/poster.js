/** Sheets to print with the QR code for visitors: the poster of a collection, and the label of an exhibit. */

import { collectionPath, json } from "../page/api.js";
import { errorNotice, loadingNotice, openFetched } from "../page/dialogs.js";
import { h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { query, readPlace } from "./api.js";

const LOCAL = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;
const SIZES = ["a4", "a5", "a6"];

export function posterView({ entitle }, { segments: [, collection, , placeId] }) {
  const back = placeId ? address("collections", collection, "places", placeId) : address("collections", collection);
  const path = (kind) => collectionPath(collection, `/qr.${kind}`) + query({ place: placeId });
  const heading = h("h1", {}, t(placeId ? "poster.label.title" : "poster.title"));
  const content = h("div", {}, loadingNotice());

  async function load() {
    try {
      const drawing = await json(path("svg"), { read: (_answer, _body, text) => text });
      const name = placeId ? (await readPlace(collection, placeId)).place.name || t("place.unnamed") : collection;
      const link = new DOMParser().parseFromString(drawing, "image/svg+xml").querySelector("title").textContent;
      entitle(name);
      if (LOCAL.test(new URL(link).hostname)) {
        const host = new URL(link).host;
        return refill(content, h("p", { class: "notice" }, icon("alert"), t("collection.qr.local", { host })));
      }
      const sheet = sheetOf({ drawing, link, name, collection, placeId });
      refill(content, tools({ sheet, drawing, link, name, path }));
      content.after(sheet); // beside the tools, which are not printed
    } catch (error) {
      refill(content, errorNotice(error, { retry: load }));
    }
  }

  load();
  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: back }, icon("left"), placeId ? t("poster.back") : collection),
    heading,
    content,
  );
  return { title: t(placeId ? "poster.label.title" : "poster.title"), element };
}

function tools({ sheet, drawing, link, name, path }) {
  const filename = (kind) => `${name.replaceAll("/", "-")}.${kind}`;
  const choose = (event) => (sheet.className = `sheet ${event.target.value}`);
  const savePdf = () =>
    openFetched(() => [import("./poster_pdf.js")], (module) => module.savePdf(sheet, drawing, filename("pdf")));
  const save = (kind, words) => h("a", { class: "button", href: path(kind), download: filename(kind) }, t(words));
  return h(
    "section",
    {},
    h("p", {}, t("poster.try"), " ", h("a", { href: link }, link)),
    h(
      "div",
      { class: "row" },
      h(
        "label",
        { class: "field paper" },
        h("span", {}, t("poster.size")),
        h(
          "select",
          { onchange: choose },
          SIZES.map((size) => h("option", { value: size, selected: sheet.classList.contains(size) }, size.toUpperCase())),
        ),
      ),
      h("button", { class: "button primary", onclick: () => print() }, t("poster.print")),
      h("button", { class: "button", onclick: savePdf }, t("poster.pdf")),
      save("png", "poster.png"),
      save("svg", "poster.svg"),
    ),
  );
}

/** The name, the code, and what to do with it in both languages, because visitors may read either. */
function sheetOf({ drawing, link, name, collection, placeId }) {
  const isEnglish = currentLanguage() === "en";
  const [text, other] = placeId ? ["poster.label.text", "poster.label.foreign"] : ["poster.text", "poster.text.foreign"];
  return h(
    "article",
    { class: `sheet ${placeId ? "a6" : "a4"}` },
    h("h2", {}, name),
    placeId && h("p", {}, collection),
    h("img", { src: `data:image/svg+xml,${encodeURIComponent(drawing)}`, alt: t("collection.qr.alt", { link }) }),
    h("p", { class: "sheet-text" }, t(text)),
    h("p", { class: "sheet-text", lang: isEnglish ? "zh-CN" : "en" }, t(other)),
    h("p", { class: "sheet-link" }, link),
  );
}
