/** The operator's first page: all collections, and a form for a new one. */

import { collections, session } from "../page/api.js";
import { errorNotice, loadingNotice } from "../page/dialogs.js";
import { h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { address } from "../page/router.js";
import { createCollection, places } from "./api.js";
import { sampleOffer } from "./sample_offer.js";
import { foldedSection } from "./section.js";

const COVER = 3;

export function collectionsView() {
  const root = h("div", { class: "page" }, h("h1", {}, t("collections.title")), loadingNotice());
  const leave = new AbortController();
  const offer = sampleOffer();
  const trash = foldedSection(t("trash.title"), async (section) => (await import("./trash.js")).trashContent(section));
  const load = async () => {
    offer.refresh();
    if (trash.element.open) trash.reload();
    try {
      const list = await collections(); // first, because it may ask for a key
      refill(root, ...content(list, mayCreate(await session(), list), offer, trash.element));
    } catch (error) {
      refill(root, h("h1", {}, t("collections.title")), errorNotice(error, { retry: load }));
    }
  };
  document.addEventListener("deletion", load, { signal: leave.signal });
  load();
  const dispose = () => {
    leave.abort();
    offer.dispose();
    trash.dispose();
  };
  return { title: t("collections.title"), element: root, dispose };
}

/** Whether a collection can be created: with a restricted key only one of its own that does not exist. */
const mayCreate = ({ collections: only }, list) => !only || only.some((name) => list.every(({ id }) => id !== name));

function content(list, isCreating, offer, trash) {
  if (list.length === 0) return [firstSteps(offer), trash];
  return [
    h("h1", {}, t("collections.title")),
    h("p", { class: "lead" }, t("collections.lead")),
    isCreating &&
      h(
        "details",
        { class: "panel folded" },
        h("summary", {}, h("h2", {}, t("collections.new"))),
        h("div", { class: "folded-body" }, creation(), offer.element),
      ),
    h("ul", { class: "cards wide" }, list.map(collectionCard)),
    trash,
  ];
}

function firstSteps(offer) {
  const step = (number) => h("li", {}, t(`collections.first.step${number}`));
  return h(
    "section",
    { class: "first" },
    h("h1", {}, t("collections.first.title")),
    h("p", { class: "lead" }, t("collections.first.text")),
    h("ol", { class: "steps" }, step(1), step(2), step(3)),
    creation(),
    offer.element,
  );
}

/** A collection needs only a name. */
function creation() {
  const trouble = h("div", {});
  const create = async () => {
    const { id } = await createCollection(name.value.trim());
    location.hash = address("collections", id);
  };
  const name = h("input", { name: "collection", required: true, maxlength: 200, autocomplete: "off" });
  return h(
    "form",
    {
      class: "creation",
      onsubmit: (event) => {
        event.preventDefault();
        create().catch((error) => trouble.replaceChildren(errorNotice(error)));
      },
    },
    h(
      "label",
      { class: "field" },
      h("span", {}, t("collections.name")),
      name,
      h("small", { class: "muted" }, t("collections.name.help")),
    ),
    h("button", { class: "button primary" }, icon("plus"), t("collections.create")),
    trouble,
  );
}

function collectionCard({ id, images, places: placeCount }) {
  const cover = h("span", { class: "cover" });
  places({ collection: id, limit: COVER }).then(
    (page) => {
      const urls = page.places.map((place) => place.preview_url).filter(Boolean);
      cover.append(...urls.map((src) => h("img", { src, alt: "", loading: "lazy" })));
    },
    () => {}, // the cover is only decoration
  );
  return h(
    "li",
    {},
    h(
      "a",
      { class: "card", href: address("collections", id) },
      cover,
      h("span", { class: "card-name" }, id),
      h("span", { class: "muted" }, `${t("places", { count: placeCount })} · ${t("photos", { count: images })}`),
    ),
  );
}
