/** Start of the page: the frame around the views, and which view an address shows. */

import { MatchSession } from "./match/session.js";
import { matchView } from "./match/view.js";
import { whenKeyIsNeeded } from "./page/api.js";
import { focusHeading, h, styled } from "./page/dom.js";
import { icon } from "./page/icons.js";
import { currentLanguage, preferredLanguage, t, useDeskWords, useLanguage } from "./page/language.js";
import { address, currentRoute } from "./page/router.js";

// What outlives a view: an answer on screen and a running upload survive a change of page or language.
const context = { session: new MatchSession(), queue: null };

let shown = { dispose: () => {} };
let asked = 0;

/** The operator's views, their style and words are fetched when first opened: a visitor's phone never loads them. */
async function viewOf({ segments }) {
  const [page, collection, kind, place] = segments;
  if (!["collections", "status"].includes(page)) return matchView;
  const desk = [styled("style/collections.css"), useDeskWords()];
  const fetched = async (module) => (await Promise.all([module, ...desk]))[0];
  if (page === "status") return (await fetched(import("./status/view.js"))).statusView;
  if (!collection) return (await fetched(import("./collections/list.js"))).collectionsView;
  const { IngestQueue } = await fetched(import("./ingest/queue.js"));
  context.queue ??= new IngestQueue();
  const isPlace = kind === "places" && place;
  return isPlace ? (await import("./collections/place.js")).placeView : (await import("./collections/collection.js")).collectionView;
}

/** Draw the view of the current address. A view is {title, element, dispose?}. */
async function show({ moveFocus }) {
  const request = ++asked;
  const route = currentRoute();
  const view = await viewOf(route);
  if (request !== asked) return; // somebody was faster
  shown.dispose?.();
  shown = view(context, route);
  document.getElementById("main").replaceChildren(shown.element);
  document.title = `${shown.title} · ${t("product")}`;
  drawBar(route.segments[0] ?? "match");
  if (moveFocus) {
    scrollTo(0, 0);
    focusHeading(shown.element);
  }
}

function drawBar(page) {
  const link = (name) =>
    h("a", { href: address(name), "aria-current": name === page ? "page" : null }, t(`nav.${name}`));
  const other = currentLanguage() === "en" ? "zh" : "en";
  const language = h(
    "button",
    { class: "language", lang: other === "zh" ? "zh-CN" : "en", onclick: () => switchLanguage(other) },
    t("language.switch"),
  );
  language.setAttribute("aria-label", t("language.switch.label"));
  document
    .getElementById("bar")
    .replaceChildren(
      h("a", { class: "brand", href: address("match"), "aria-label": t("product") }, icon("mark")),
      h("nav", { "aria-label": t("nav") }, link("match"), link("collections"), link("status")),
      language,
    );
  document.getElementById("skip").textContent = t("skip");
}

async function switchLanguage(language) {
  await useLanguage(language, { remember: true });
  await show({ moveFocus: false });
  document.querySelector(".language").focus();
}

/** From the second visit on the service worker keeps the files; those of the first, and the answer's, are put beside it. */
async function keepForOffline() {
  await navigator.serviceWorker.register("offline.js");
  const isVisitor = !["collections", "status"].includes(currentRoute().segments[0]);
  if (isVisitor) await Promise.all([import("./match/answer.js"), styled("style/comparison.css")]);
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const shell = await caches.open("shell");
  await shell.addAll([new URL("./", location.href).href, ...loaded.filter((url) => /\.(js|css)$/.test(url))]);
}

async function start() {
  whenKeyIsNeeded(async (error) => (await import("./page/sign_in.js")).askForKey(error));
  await useLanguage(preferredLanguage());
  const invited = new URLSearchParams(location.search).get("collection"); // by a QR code
  if (invited && !location.hash) {
    history.replaceState(null, "", `./${address("match")}?collection=${encodeURIComponent(invited)}`);
  }
  addEventListener("hashchange", () => show({ moveFocus: true }));
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash belongs to the router
    document.getElementById("main").focus();
  });
  addEventListener("beforeunload", (event) => {
    if (context.queue?.isUnfinished) event.preventDefault();
  });
  await show({ moveFocus: false });
  // Absent on plain http other than localhost. Failing to keep the files costs only the offline shell.
  if ("serviceWorker" in navigator) keepForOffline().catch((error) => console.info("not kept for offline:", error));
}

start();
