/** Unsaved texts of forms: kept over a change of page or language, and a reload of this tab. */

import { tab } from "../page/storage.js";

export const hasDraft = (name) => tab.get(name) !== null;

/** {before, after}: the fields' values when editing began, and now; null if there is no draft. */
export const readDraft = (name) => JSON.parse(tab.get(name));

export const keepDraft = (name, draft) => tab.set(name, JSON.stringify(draft));

export const forgetDraft = (name) => tab.remove(name);
