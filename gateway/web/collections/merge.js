/** Merges places: their photos go to one of them, and the others are gone. */

import { errorNotice, openDialog } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { t } from "../page/language.js";
import { movePhotos } from "./api.js";

/** @param {object[]} chosen two or more PlaceSummaryBody of one collection */
export function openMerge(collection, chosen, ondone) {
  const problem = h("div", {});
  const choice = ({ id, name, images }, index) =>
    h(
      "label",
      { class: "check" },
      h("input", { type: "radio", name: "kept", value: id, checked: index === 0 }),
      h("span", {}, name || t("place.unnamed"), h("span", { class: "muted" }, ` · ${id} · ${t("photos", { count: images })}`)),
    );

  async function submit(event) {
    event.preventDefault();
    const kept = new FormData(event.target).get("kept");
    const others = chosen.map(({ id }) => id).filter((id) => id !== kept);
    try {
      const { moved } = await movePhotos({ collection, place_id: kept, places: others });
      dialog.close();
      announce(t("merge.done", { count: moved }));
      ondone();
    } catch (error) {
      problem.replaceChildren(errorNotice(error));
    }
  }

  const dialog = h(
    "dialog",
    { class: "question", "aria-labelledby": "merge-title" },
    h("h2", { id: "merge-title" }, t("merge.title", { count: chosen.length })),
    h("p", {}, t("merge.text")),
    h(
      "form",
      { onsubmit: submit },
      h("fieldset", {}, h("legend", {}, t("merge.kept")), chosen.map(choice)),
      problem,
      h(
        "div",
        { class: "row end" },
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, t("cancel")),
        h("button", { class: "button primary" }, t("merge.action")),
      ),
    ),
  );
  openDialog(dialog);
}
