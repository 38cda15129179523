/** The recordings of a place: listen, add, replace and delete them, and write their transcripts. */

import { json } from "../page/api.js";
import { confirmed, errorNotice, openDialog } from "../page/dialogs.js";
import { fileButton, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { changePlace, query, readPlace } from "./api.js";
import { forgetDraft, keepDraft, readDraft } from "./drafts.js";
import { canonical, languageInput, languageName } from "./texts.js";

const RECORDINGS = "audio/*,.mp3,.m4a,.ogg,.oga,.opus,.wav";

export function openRecordings(collection, placeId) {
  const list = h("div", { class: "folded-body" });
  const result = h("div", { role: "status" });
  const { tag, suggestions } = languageInput({ required: true, "aria-label": t("recordings.language"), placeholder: t("texts.tag.help") });
  const path = (language) => "index/places/audio" + query({ collection, place_id: placeId, language });
  const draftOf = (language) => JSON.stringify(["transcript", collection, placeId, language]);
  let etag = null;

  const tell = (words = "") => result.replaceChildren(h("p", { class: "muted" }, words));

  /** Run `action` and show what it returns, or its error. Returns whether it was done. */
  async function attempt(action) {
    try {
      tell(await action());
      return true;
    } catch (error) {
      if (error.status === 413) error.code = "audio_too_large"; // not a photo
      result.replaceChildren(errorNotice(error));
      return false;
    } finally {
      result.scrollIntoView({ block: "nearest" });
    }
  }

  async function draw() {
    const read = await readPlace(collection, placeId);
    etag = read.tag;
    const { recordings, texts } = read.place;
    const rows = Object.entries(recordings).map(([language, { url }]) => row(language, url, texts[language]?.transcript));
    list.replaceChildren(...(rows.length > 0 ? rows : [h("p", { class: "muted" }, t("recordings.none"))]));
  }

  const store = (language, file) =>
    attempt(async () => {
      tell(t("recordings.sending"));
      await json(path(language), { method: "PUT", body: file });
      await draw();
      return t("recordings.stored");
    });

  async function add(file) {
    if (tag.reportValidity() && (await store(canonical(tag.value), file))) tag.value = "";
  }

  const remove = (language) =>
    attempt(async () => {
      const title = t("recordings.delete.title", { language: languageName(language) });
      const isSure = await confirmed({ title, text: t("recordings.delete.text"), action: t("recordings.delete") });
      if (!isSure) return undefined;
      await json(path(language), { method: "DELETE" });
      forgetDraft(draftOf(language));
      await draw();
      return t("recordings.deleted");
    });

  const save = (language, transcript, onsaved) =>
    attempt(async () => {
      try {
        const changed = await changePlace(collection, placeId, { texts: { [language]: { transcript } } }, etag);
        etag = changed.tag;
        onsaved(changed.place.texts[language]?.transcript ?? "");
      } catch (error) {
        // Only the transcript is sent, so saving again keeps the other person's changes.
        if (error.code === "changed_meanwhile") ({ tag: etag } = await readPlace(collection, placeId));
        throw error;
      }
      return t("place.saved");
    });

  function row(language, url, transcript = "") {
    const named = languageName(language);
    const draft = draftOf(language);
    const kept = readDraft(draft);
    let before = transcript;
    const oninput = () => (text.value === before ? forgetDraft(draft) : keepDraft(draft, { before, after: text.value }));
    const text = h("textarea", { rows: 5, maxlength: 20000, lang: language, dir: "auto", oninput });
    // A draft of a transcript that somebody else has changed since would overwrite that one unnoticed.
    if (kept?.before !== before) forgetDraft(draft);
    text.value = kept?.before === before ? kept.after : before;

    function onsaved(now) {
      before = now;
      oninput(); // more may have been written meanwhile
    }

    return h(
      "fieldset",
      { class: "folded-body" },
      h("legend", {}, named),
      h("audio", { controls: true, preload: "none", src: url, "aria-label": named }),
      h(
        "label",
        { class: "field" },
        h("span", {}, t("recordings.transcript")),
        text,
        h("small", { class: "muted" }, t("recordings.transcript.help")),
      ),
      h(
        "div",
        { class: "row" },
        h("button", { class: "button", onclick: () => save(language, text.value.trim(), onsaved) }, t("recordings.save")),
        fileButton({ label: t("recordings.replace"), accept: RECORDINGS, onfiles: ([file]) => store(language, file) }),
        h("button", { class: "button", onclick: () => remove(language) }, icon("bin"), t("recordings.delete")),
      ),
    );
  }

  const dialog = h(
    "dialog",
    { class: "question wide", "aria-labelledby": "recordings-title" },
    h("h2", { id: "recordings-title" }, t("recordings.title")),
    h("p", { class: "muted" }, t("recordings.help")),
    list,
    h(
      "div",
      { class: "row" },
      tag,
      fileButton({ label: [icon("plus"), t("recordings.add")], accept: RECORDINGS, onfiles: ([file]) => add(file) }),
    ),
    suggestions,
    result,
    h("div", { class: "row end" }, h("button", { class: "button", onclick: () => dialog.close() }, t("recordings.close"))),
  );
  openDialog(dialog);
  attempt(draw);
}
