/** Hides places from visitors, or shows them again. */

import { changeJson, placePath } from "../page/api.js";
import { announce } from "../page/dom.js";
import { t, useWords } from "../page/language.js";

/** Changes places one after the other; if one fails, those before it have been changed. Returns what they are now. */
export async function setHidden(collection, places, hidden) {
  await useWords("hide/");
  const changed = [];
  for (const { id } of places) changed.push(await changeJson("PATCH", placePath(collection, id), { hidden }));
  announce(t(hidden ? "hide.hidden" : "hide.shown", { count: changed.length }));
  return changed;
}
