/** Shows the running upload on every page, below the bar. */

import { h } from "../page/dom.js";
import { t } from "../page/language.js";
import { address } from "../page/router.js";
import { IngestQueue } from "./queue.js";

/** Creates the page's queue and the note that shows its state. */
export function followedQueue() {
  const queue = new IngestQueue();
  const note = h("a", { class: "uploading", hidden: true });
  const draw = () => {
    note.hidden = !queue.isUnfinished;
    if (note.hidden) return;
    const [{ collection }] = queue.items;
    const { done, total } = queue.counts;
    note.href = address("collections", collection);
    note.textContent = t("upload.note", { collection, done, total });
  };
  for (const event of ["change", "progress"]) queue.addEventListener(event, draw);
  document.getElementById("bar").after(note);
  return queue;
}
