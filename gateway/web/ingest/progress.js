/** The view of an upload: its progress, the result of every file, pause and continue. */

import { errorNotice, errorSentence, technicalDetails } from "../page/dialogs.js";
import { announce, h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t, useWords } from "../page/language.js";

/** @returns {{element: HTMLElement, dispose: () => void}} follows `queue` until disposed */
export function uploadProgress(queue, { collection }) {
  const root = h("section", { class: "upload-progress", "aria-label": t("upload.running") });
  const leave = new AbortController();
  let parts = null;
  let told = 0; // announced tenths of the progress

  function draw() {
    root.hidden = queue.state === "idle";
    if (root.hidden) return root.replaceChildren();
    const elsewhere = queue.items[0]?.collection;
    const isOver = queue.state === "finished";
    const isVain = isOver && queue.counts.rejected > 0 && queue.counts.rejected === queue.counts.total;
    parts = {
      bar: h("progress", { max: 1, "aria-label": t("upload.running") }),
      count: h("p", { class: "muted" }),
      tally: h("p", { class: "tally" }),
      known: h("p", { class: "muted" }),
      problems: h("ul", { class: "problems" }),
      files: h("ul", { class: "files" }),
      rows: new Map(),
    };
    refill(
      root,
      ...[
        h("h3", { tabindex: "-1" }, t(isVain ? "upload.nothing_added" : `upload.${queue.state}`, { seconds: queue.secondsLeft })),
        elsewhere &&
          elsewhere !== collection &&
          h("p", { class: "muted" }, t(isOver ? "upload.elsewhere.finished" : "upload.elsewhere", { collection: elsewhere })),
        parts.bar,
        parts.count,
        parts.tally,
        parts.known,
        queue.error && errorNotice(queue.error),
        parts.problems,
        controls(),
        h("details", { class: "details" }, h("summary", {}, t("upload.files")), parts.files),
      ].filter(Boolean),
    );
    update(queue.items);
    if (queue.state === "finished") announce(ending());
  }

  function controls() {
    const button = (name, words, action, className = "button") =>
      h("button", { class: className, onclick: action }, name && icon(name), words);
    const choices = {
      running: () => button("pause", t("upload.pause"), () => queue.pause()),
      waiting: () => [
        button("refresh", t("upload.now"), () => queue.resume(), "button primary"),
        button("pause", t("upload.pause"), () => queue.pause()),
      ],
      paused: () => [
        button(null, t("upload.resume"), () => queue.resume(), "button primary"),
        button(null, t("cancel"), () => queue.dismiss()),
      ],
      stopped: () => [
        button(null, t("upload.resume"), () => queue.resume(), "button primary"),
        button(null, t("cancel"), () => queue.dismiss()),
      ],
      finished: () => button("check", t("upload.dismiss"), () => queue.dismiss(), "button primary"),
    };
    return h("div", { class: "row" }, choices[queue.state]());
  }

  /** Bring the numbers and the rows of `items` up to date. */
  function update(items) {
    const { done, total, added, duplicate, rejected, known } = queue.counts;
    const faulty = queue.items.filter((item) => item.faults?.length).length;
    parts.bar.value = queue.progress;
    parts.count.textContent = t("upload.progress", { done, total });
    parts.tally.replaceChildren(pill("added", added), pill("duplicate", duplicate), pill("rejected", rejected));
    parts.known.textContent = [
      known > 0 && t("upload.known", { count: known }),
      queue.corrected > 0 && t("upload.corrected", { count: queue.corrected }),
      faulty > 0 && t("upload.faulty", { count: faulty }),
    ]
      .filter(Boolean)
      .join(" ");
    if (queue.state === "waiting") {
      root.querySelector("h3").textContent = t("upload.waiting", { seconds: queue.secondsLeft });
    }
    for (const item of items) {
      const row = fileRow(item);
      if (parts.rows.has(item)) parts.rows.get(item).replaceWith(row);
      else parts.files.append(row);
      parts.rows.set(item, row);
    }
    for (const item of items.filter(({ status }) => status === "rejected")) parts.problems.append(problemRow(item));
    const tenth = Math.floor((10 * done) / Math.max(1, total));
    if (queue.state === "running" && tenth > told) announce(t("upload.announce", { done, total }));
    told = tenth;
  }

  function ending() {
    const { added, duplicate, rejected } = queue.counts;
    return t("upload.announce.end", { added, duplicates: duplicate, rejected });
  }

  queue.addEventListener("change", draw, { signal: leave.signal });
  queue.addEventListener("progress", (event) => parts && update(event.detail), { signal: leave.signal });
  draw();
  return { element: root, dispose: () => leave.abort() };
}

const pill = (status, count) => h("span", { class: `pill ${status}` }, `${t(`upload.${status}`)} ${count}`);

function fileRow({ path, status, reason, code, where, faults = [] }) {
  return h(
    "li",
    { class: status },
    h("span", { class: "file-name" }, path),
    h("span", { class: "file-status" }, t(`upload.${status}`)),
    reason && h("span", { class: "muted reason" }, currentLanguage() === "en" ? reason : code && errorSentence({ code })),
    where && h("span", { class: "muted reason" }, t("upload.where", { name: where })),
    faults.length > 0 && faultNames(faults),
  );
}

/** Why a photo should be taken again, in the texts of the health check, which are fetched for the first such photo. */
function faultNames(faults) {
  const names = h("span", { class: "reason" });
  const show = () => names.append(faults.map((fault) => t(`health.${fault}`)).join(" · "));
  useWords("health/").then(show, () => {}); // without them, the sentence above still counts the photo
  return names;
}

const serverWords = (words) => (currentLanguage() === "en" ? words : technicalDetails([words]));

/** The page's text of an error, then the server's. */
function problemRow({ path, reason, code }) {
  const said = reason && serverWords(h("span", { class: "muted", lang: "en" }, reason));
  const words = h("span", {}, h("b", {}, path), ` ${errorSentence({ code })} `, said ?? "");
  return h("li", {}, icon("cross"), words);
}
