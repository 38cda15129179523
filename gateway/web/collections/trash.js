/**
 * Deletions happen at once and can be undone; the server keeps deleted photos for some days.
 * The document gets an event `deletion` after a deletion or an undo.
 */

import { json } from "../page/api.js";
import { confirmed, errorNotice } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { day, t } from "../page/language.js";
import { query } from "./api.js";

const OFFERED_MS = 12000;

const toasts = h("div", { class: "toasts" });

/** Send requests one after the other; if one fails, those before it have still changed something. */
async function send(method, paths, options) {
  let isChanged = false;
  try {
    for (const path of paths) {
      await json(path, { method, ...options });
      isChanged = true;
    }
  } finally {
    if (isChanged) document.dispatchEvent(new Event("deletion"));
  }
}

/** Undo deletions. */
async function restore(trashIds) {
  await send("POST", trashIds.map((id) => `trash/${id}/restore`));
  announce(t("delete.undone"));
}

/** Delete what is at the paths, and offer to undo it, also if one of them fails. */
export async function deleteWithUndo(paths, name) {
  const trashIds = [];
  const read = (answer) => trashIds.push(answer.headers.get("X-Trash-Id"));
  try {
    await send("DELETE", paths, { read });
  } finally {
    if (trashIds.some(Boolean)) offerUndo(trashIds.filter(Boolean), name);
  }
}

function offerUndo(trashIds, name) {
  let timer = 0;
  const wait = () => (timer = setTimeout(() => toast.remove(), OFFERED_MS));
  const hold = () => clearTimeout(timer);
  async function undo() {
    hold();
    button.disabled = true;
    await restore(trashIds).then(
      () => toast.remove(),
      (error) => (toast.replaceChildren(errorNotice(error)), wait()),
    );
  }
  // The offer stays while the pointer or the focus is on it.
  const button = h("button", { class: "button small", onclick: undo, onfocus: hold, onblur: () => button.disabled || wait() }, t("delete.undo"));
  const toast = h("div", { class: "toast", role: "status" }, icon("bin"), h("span", {}, t("delete.done", { name })), button);
  document.body.append(toasts);
  toasts.append(toast);
  wait();
}

/** Returns the function that loads the content of the section. */
export function trashContent(section) {
  return async () => {
    const trouble = h("div", {});
    const list = h("ul", { class: "recent" });
    const more = h("button", { class: "button", hidden: true, onclick: show }, t("more"));
    let cursor = null;

    async function show() {
      const page = await json("trash" + query({ cursor, limit: 50 }));
      cursor = page.next_cursor;
      more.hidden = !cursor;
      list.append(...page.deletions.map(row));
      return page;
    }
    /** Run an action that changes the trash, then show the trash again. */
    const attempt = (action) =>
      action.then(section.reload, (error) => trouble.replaceChildren(errorNotice(error, { retry: section.reload })));
    async function end(path, title) {
      const isWanted = await confirmed({ title, text: t("trash.end.text"), action: t("trash.end") });
      if (isWanted) attempt(send("DELETE", [path]));
    }
    const button = (words, name, onclick) =>
      h("button", { class: "button small", "aria-label": `${t(words)} ${name}`, onclick }, t(words));
    const row = ({ id, name, collection, images, kept_until: until }) =>
      h(
        "li",
        {},
        h("b", {}, name),
        button("trash.restore", name, () => attempt(restore([id]))),
        h(
          "span",
          { class: "muted" },
          `${collection} · ${t("photos", { count: images })} · ${t("trash.until", { day: day(until) })}`,
        ),
        button("trash.end", name, () => end(`trash/${id}`, t("trash.end.title", { name }))),
      );

    const { total, days } = await show();
    return [
      h("p", { class: "muted" }, t("trash.text", { count: days })),
      trouble,
      list,
      more,
      h("button", { class: "button danger", hidden: total === 0, onclick: () => end("trash", t("trash.empty")) }, icon("bin"), t("trash.empty")),
    ];
  };
}
