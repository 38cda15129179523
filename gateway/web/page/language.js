/** The page's language, texts and number formats. */

import { device } from "./storage.js";

const TAGS = { en: "en", zh: "zh-CN" };
const REMEMBERED = "language";

let current = "en";
let messages = {};
const parts = new Map(); // promises of the parts that have been requested

/** The language chosen earlier, else the browser's first supported one, else English. */
export function preferredLanguage() {
  const wishes = [device.get(REMEMBERED), ...(navigator.languages ?? [navigator.language])];
  const known = wishes.map((wish) => wish?.slice(0, 2).toLowerCase()).find((wish) => wish in TAGS);
  return known ?? "en";
}

/** Headers for texts in the language chosen here, which counts before the browser's own. */
export function wishes() {
  const chosen = TAGS[device.get(REMEMBERED)];
  return chosen ? { "Accept-Language": [chosen, ...navigator.languages].join() } : {};
}

const wordsOf = async (part, language) => (await import(`../language/${part}${language}.js`)).default;

/** Switch to `language`; only the texts of the current language are fetched. */
export async function useLanguage(language, { remember = false } = {}) {
  const known = parts.size;
  const words = await Promise.all(["", ...parts.keys()].map((part) => wordsOf(part, language)));
  if (parts.size > known) return useLanguage(language, { remember }); // another part was requested in the meantime
  messages = Object.assign({}, ...words);
  current = language;
  document.documentElement.lang = TAGS[language];
  if (remember) device.set(REMEMBERED, language);
}

/** Load the texts of `part` too, now and after a change of language: such as "answer/", or "desk/" for operators. */
export function useWords(part) {
  if (!parts.has(part)) {
    const fetched = wordsOf(part, current).then((words) => Object.assign(messages, words));
    fetched.catch(() => parts.delete(part)); // so that the next request fetches it again
    parts.set(part, fetched);
  }
  return parts.get(part);
}

export function currentLanguage() {
  return current;
}

/**
 * The text for `key`, with `{placeholders}` filled from `values`.
 * With `values.count`, `key.one` or `key.other` is chosen by the language's plural rules.
 */
export function t(key, values = {}) {
  const tag = TAGS[current];
  const counted = "count" in values ? `${key}.${new Intl.PluralRules(tag).select(values.count)}` : key;
  const sentence = messages[counted] ?? messages[`${key}.other`] ?? messages[key];
  if (sentence === undefined) throw new Error(`no sentence for ${key} in ${tag}`);
  return sentence.replace(/\{(\w+)\}/g, (_, hole) => {
    const value = values[hole];
    return typeof value === "number" ? value.toLocaleString(tag) : String(value);
  });
}

/** Whether there is a text for `key`. */
export const knows = (key) => key in messages;

/** Join sentences; in Chinese without a space between them. */
export const inARow = (...sentences) => sentences.filter(Boolean).join(current === "zh" ? "" : " ");

/** The server's reasons in the current language, as one text. */
export const spoken = ({ reasons, reasons_in: inEach }) => inARow(...(inEach[current] ?? reasons));

/** A stage's time: 120 ms. */
export const milliseconds = (ms) =>
  Math.round(ms).toLocaleString(TAGS[current], { style: "unit", unit: "millisecond", unitDisplay: "short" });

/** Format bytes: 1.4 MB. */
export function bytes(count) {
  const power = count < 1024 ** 2 ? 1 : count < 1024 ** 3 ? 2 : 3;
  const value = (count / 1024 ** power).toLocaleString(TAGS[current], { maximumFractionDigits: 1 });
  return `${value}\u00a0${["KB", "MB", "GB"][power - 1]}`;
}

/** Format a share: 2 %, 0.5 %. */
export function percent(share) {
  return share.toLocaleString(TAGS[current], { style: "percent", maximumFractionDigits: share < 0.1 ? 1 : 0 });
}

/** Format a waiting time: 40 seconds, 3 minutes. */
export function duration(seconds) {
  const [value, unit] = seconds < 90 ? [Math.ceil(seconds), "second"] : [Math.ceil(seconds / 60), "minute"];
  return value.toLocaleString(TAGS[current], { style: "unit", unit, unitDisplay: "long" });
}

/** A stored UTC instant as a local date and time. */
export function when(iso) {
  return new Date(iso).toLocaleString(TAGS[current], { dateStyle: "medium", timeStyle: "short" });
}

/** A stored UTC instant as a local date. */
export function day(iso) {
  return new Date(iso).toLocaleDateString(TAGS[current], { dateStyle: "medium" });
}
