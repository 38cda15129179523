/** One place: its words, its photos, more of them, fewer of them. */

import { uploadPanel } from "../ingest/panel.js";
import { changeImage, deleteImage, images } from "../page/api.js";
import { confirmed, errorNotice } from "../page/dialogs.js";
import { announce, focusHeading, h, refill } from "../page/dom.js";
import { plainFacts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { bytes, day, t } from "../page/language.js";
import { address } from "../page/router.js";
import { placeForm } from "./place_form.js";

export function placeView({ queue }, { segments: [, collection, , placeId] }) {
  const leave = new AbortController();
  const panel = uploadPanel(queue, { collection, place: { id: placeId } });
  const head = h("div", {}, h("h1", { class: "place-name" }, t("loading")));
  const trouble = h("div", {});
  const grid = h("ul", { class: "cards" });
  const more = h("button", { class: "button", hidden: true, onclick: () => load({ append: true }) }, t("more"));
  const below = h("div", { hidden: true });
  let shown = [];
  let total = 0;
  let cursor = null;

  async function load({ append = false } = {}) {
    await attempt(async () => {
      const page = await images({ collection, placeId, cursor: append ? cursor : null });
      shown = append ? [...shown, ...page.images] : page.images;
      ({ total, next_cursor: cursor } = page);
      draw();
    }, load);
  }

  /** Run `action`; tell what went wrong above the photos. */
  async function attempt(action, retry) {
    trouble.replaceChildren();
    try {
      await action();
    } catch (error) {
      if (!leave.signal.aborted) trouble.replaceChildren(errorNotice(error, retry && { retry: () => retry() }));
    }
  }

  function draw() {
    below.hidden = false;
    more.hidden = !cursor;
    grid.replaceChildren(...shown.map((image) => imageCard(image, removeImage)));
    drawHead();
  }

  function drawHead() {
    const place = shown[0]?.place;
    refill(
      head,
      h(
        "div",
        { class: "heading" },
        h("h1", { class: "place-name" }, place ? place.name || t("place.unnamed") : t("place.gone")),
        place && h("button", { class: "button", onclick: edit }, icon("pencil"), t("place.edit")),
      ),
      place ? h("p", { class: "description" }, place.description) : "",
      (place && plainFacts(place.metadata)) ?? "",
    );
  }

  function edit() {
    head.replaceChildren(placeForm(shown[0].place, { onsave: save, oncancel: drawHead }));
    head.querySelector("input").focus();
  }

  const save = (change) =>
    attempt(async () => {
      const changed = await changeImage(shown[0].id, change);
      shown = shown.map((image) => ({ ...image, place: changed.place }));
      drawHead();
      focusHeading(head);
      announce(t("place.saved"));
    });

  async function removeImage(image) {
    const text = t("image.delete.text", { name: image.filename });
    if (!(await confirmed({ title: t("image.delete.title"), text, action: t("image.delete") }))) return;
    await attempt(async () => {
      await deleteImage(image.id);
      announce(t("image.deleted"));
      await load();
      focusHeading(head);
    });
  }

  async function removePlace() {
    const { place } = shown[0];
    const title = t("place.delete.title", { name: place.name });
    const text = t("place.delete.text", { count: total });
    if (!(await confirmed({ title, text, action: t("place.delete") }))) return;
    await attempt(async () => {
      while (shown.length > 0) {
        for (const image of shown) await deleteImage(image.id);
        shown = (await images({ collection, placeId })).images;
      }
      announce(t("image.deleted"));
      location.hash = address("collections", collection);
    });
  }

  queue.addEventListener("change", () => queue.state === "finished" && load(), { signal: leave.signal });
  load();
  below.append(
    h("section", {}, h("h2", {}, t("place.photos")), grid, more),
    h("section", {}, h("h2", {}, t("place.more")), panel.element),
    h("button", { class: "button danger", onclick: removePlace }, icon("bin"), t("place.delete")),
  );
  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: address("collections", collection) }, icon("left"), collection),
    head,
    trouble,
    below,
  );
  const dispose = () => {
    leave.abort();
    panel.dispose();
  };
  return { title: t("collection.places"), element, dispose };
}

function imageCard(image, onremove) {
  const { filename, width, height } = image;
  return h(
    "li",
    { class: "card" },
    h(
      "a",
      { href: image.file_url, target: "_blank" },
      h("img", { src: image.preview_url, alt: filename, loading: "lazy" }),
    ),
    h("span", { class: "card-name" }, filename),
    h("span", { class: "muted" }, `${width} × ${height} · ${bytes(image.bytes)} · ${day(image.added_at)}`),
    h(
      "button",
      {
        class: "button small",
        "aria-label": t("image.delete.label", { name: filename }),
        onclick: () => onremove(image),
      },
      icon("bin"),
      t("image.delete"),
    ),
  );
}
