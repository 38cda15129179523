/** Entry point: draws the frame of the page and the view of the current address. */

import { MatchSession } from "./match/session.js";
import { fetchAnswer, matchView } from "./match/view.js";
import { invitation, invite } from "./match/where.js";
import { branding, whenKeyIsNeeded } from "./page/api.js";
import { errorNotice } from "./page/dialogs.js";
import { announce, focusHeading, h, styled } from "./page/dom.js";
import { icon } from "./page/icons.js";
import { identify, identity, isStaff, isVisitor, isVisitorMode } from "./page/identity.js";
import { currentLanguage, preferredLanguage, t, useLanguage, useWords } from "./page/language.js";
import { address, currentRoute, matchAddress } from "./page/router.js";

// These outlive a view: an answer and a running upload are kept when the page or the language changes.
const context = {
  session: new MatchSession(),
  queue: null,
  entitle,
  present: (collection) => present(collection).catch(() => {}), // the page works without the museum's name
};

let shown = { dispose: () => {} };
let titled = "";
let museum = { collection: null, branding: null }; // that the page presents
let dress = null; // branding.js, after it has been fetched
let asked = 0;
let whoIsThere = null; // settles when the server has identified the caller, or failed to

const DESK = isVisitorMode ? [] : ["collections", "status"];
const isDesk = () => DESK.includes(currentRoute().segments[0]);

/** A module, when the style and texts that it needs are there too. */
const fetched = async (module, ...further) => (await Promise.all([module, ...further]))[0];

/** The operator's views, their style and texts are fetched at first use, so a visitor's phone does not load them. */
async function viewOf({ segments }) {
  const [page, collection, kind, place, sheet] = segments;
  if (page === "exhibit") {
    const further = [useWords("answer/"), useWords("exhibit/"), styled("style/answer.css")];
    return (await fetched(import("./match/exhibit.js"), ...further)).exhibitView;
  }
  if (page === "visit") {
    return (await fetched(import("./match/visit.js"), useWords("visit/"), styled("style/visit.css"))).visitView;
  }
  if (!DESK.includes(page)) return matchView;
  const desk = [styled("style/collections.css"), useWords("desk/"), page === "status" && useWords("details/")];
  await Promise.all([whoIsThere, ...desk]);
  if (isVisitor()) return (await import("./page/gate.js")).gateView;
  if (page === "status") return (await import("./status/view.js")).statusView;
  if (!collection) return (await import("./collections/list.js")).collectionsView;
  if (kind === "inbox" || kind === "statistics") {
    return (await fetched(import(`./collections/${kind}.js`), useWords(`${kind}/`)))[`${kind}View`];
  }
  if (kind === "poster" || sheet === "label") {
    return (await fetched(import("./collections/poster.js"), styled("style/poster.css"), useWords("poster/"))).posterView;
  }
  if (kind === "table") {
    return (await fetched(import("./collections/table.js"), styled("style/table.css"), useWords("table/"))).tableView;
  }
  const { followedQueue } = await import("./ingest/note.js");
  context.queue ??= followedQueue();
  const isPlace = kind === "places" && place;
  return isPlace ? (await import("./collections/place.js")).placeView : (await import("./collections/collection.js")).collectionView;
}

/** Draw the view of the current address. A view is {title, element, dispose?, isEdited?}. */
async function show({ moveFocus }) {
  const request = ++asked;
  const route = currentRoute();
  const view = await viewOf(route).catch((error) => failedView(error));
  if (request !== asked) return; // another view has been requested in the meantime
  shown.dispose?.();
  shown = view(context, route);
  document.getElementById("main").replaceChildren(shown.element);
  context.entitle(shown.title);
  drawFrame();
  if (isDesk()) context.present(null);
  if (moveFocus) {
    scrollTo(0, 0);
    focusHeading(shown.element);
  }
}

/** Shown if the files of a view cannot be fetched. */
const failedView = (error) => () => {
  console.info("a part of the page is missing:", error);
  const retry = () => show({ moveFocus: true });
  const title = t(`nav.${DESK.find((page) => page === currentRoute().segments[0]) ?? "match"}`);
  const notice = errorNotice({ code: "network" }, { retry });
  return { title, element: h("div", { class: "page" }, h("h1", {}, title), notice) };
};

function entitle(title) {
  titled = title;
  document.title = `${title} · ${museum.branding?.title || t("product")}`;
}

/** Present the museum of a collection, or with null the product. */
async function present(collection) {
  if (collection === museum.collection) return;
  const next = (museum = { collection, branding: null });
  const found = collection === null ? {} : await branding(collection).catch(() => ({}));
  const isOwn = Object.values(found).some(Boolean);
  if (isOwn) dress ??= await fetched(import("./page/branding.js"), styled("style/branding.css"));
  if (next !== museum || dress === null) return;
  if (isOwn) museum.branding = found;
  entitle(titled);
  drawFrame();
}

/** The bar above the view, and what is below it. */
function drawFrame() {
  const route = currentRoute();
  const page = route.segments[0] ?? "match";
  // The link back leads to the collection that the visitor came for.
  const named = page === "exhibit" ? route.segments[1] : isDesk() ? null : route.query.get("collection");
  const camera = matchAddress(named ?? invitation());
  const link = (name, href = address(name)) =>
    h("a", { href, "aria-current": name === page ? "page" : null }, t(`nav.${name}`));
  const desk = isStaff() || (isDesk() && !isVisitor()) ? DESK.map((name) => link(name)) : [];
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
      h("a", { class: "brand", href: camera, "aria-label": t("product") }, icon("mark")),
      h("nav", { "aria-label": t("nav") }, link("match", camera), desk),
      language,
    );
  document.getElementById("skip").textContent = t("skip");
  dress?.wear(museum.branding, museum.collection);
}

async function switchLanguage(language) {
  try {
    await useLanguage(language, { remember: true });
  } catch {
    return announce(t("error.network")); // its texts could not be fetched; the view is not changed
  }
  await context.session.reread();
  await show({ moveFocus: false });
  document.querySelector(".language").focus();
}

/** The service worker caches files from the second visit on; this caches those of the first visit and the answer's. */
async function keepForOffline() {
  await navigator.serviceWorker.register("offline.js");
  if (!isDesk()) await fetchAnswer();
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const shell = await caches.open("shell");
  await shell.addAll([new URL("./", location.href).href, ...loaded.filter((url) => /\.(js|css)$/.test(url))]);
}

async function start() {
  whenKeyIsNeeded(async (error) => (await import("./page/sign_in.js")).askForKey(error));
  whoIsThere = identify();
  await useLanguage(preferredLanguage());
  const link = new URLSearchParams(location.search); // of a QR code
  const [invited, place] = [link.get("collection"), link.get("place")];
  if (invited) invite(invited);
  // The installed page, and a typed address, lead back to the collection of the QR code.
  if (invitation()) {
    document.querySelector("[rel=manifest]").href +=
      `?collection=${encodeURIComponent(invitation())}${isVisitorMode ? "&visitor" : ""}`;
    const start = invited && place ? address("exhibit", invited, place) : matchAddress(invitation());
    if (!location.hash) history.replaceState(null, "", `./${link.has("visitor") ? "?visitor" : ""}${start}`);
  }
  addEventListener("hashchange", () => show({ moveFocus: true }));
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the router uses the hash
    document.getElementById("main").focus();
  });
  addEventListener("beforeunload", (event) => {
    if (context.queue?.isUnfinished || shown.isEdited?.()) event.preventDefault();
  });
  await show({ moveFocus: false });
  await whoIsThere;
  drawFrame();
  let wasVisitor = isVisitor();
  identity.addEventListener("change", () => {
    const isOther = isDesk() && wasVisitor !== isVisitor();
    wasVisitor = isVisitor();
    if (isOther) show({ moveFocus: true });
    else drawFrame();
  });
  // Absent on plain http other than localhost. Without the cache, only offline use is missing.
  if ("serviceWorker" in navigator) keepForOffline().catch((error) => console.info("not kept for offline:", error));
}

start();
