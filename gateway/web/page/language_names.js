/** Names of languages in the page's language. */

import { currentLanguage } from "./language.js";

/** The name of a language (BCP 47), or the tag itself where it has none. */
export function nameOfLanguage(tag) {
  try {
    return new Intl.DisplayNames(currentLanguage(), { type: "language" }).of(tag);
  } catch {
    return tag; // a private one
  }
}
