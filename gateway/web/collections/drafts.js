/** What was typed into a form and not saved yet: it survives a change of page or language, and a reload of this tab. */

import { tab } from "../page/storage.js";

export const hasDraft = (name) => tab.get(name) !== null;

/** {before, after}: the values of the form's fields when editing began, and as they stand now; null where there is none. */
export const readDraft = (name) => JSON.parse(tab.get(name));

export const keepDraft = (name, draft) => tab.set(name, JSON.stringify(draft));

export const forgetDraft = (name) => tab.remove(name);
