/** One place: its texts and its photos; edit, add and delete them. */

import { uploadPanel } from "../ingest/panel.js";
import { placePath } from "../page/api.js";
import { errorNotice, openFetched } from "../page/dialogs.js";
import { announce, focusHeading, h, refill, styled } from "../page/dom.js";
import { plainFacts } from "../page/facts.js";
import { icon } from "../page/icons.js";
import { bytes, day, t, useWords } from "../page/language.js";
import { address } from "../page/router.js";
import { changePlace, imagePath, images, readPlace } from "./api.js";
import { forgetDraft, hasDraft } from "./drafts.js";
import { deskIcon } from "./icons.js";

export function placeView({ queue, entitle }, { segments: [, collection, , placeId] }) {
  const leave = new AbortController();
  const panel = uploadPanel(queue, { collection, place: { id: placeId } });
  const head = h("div", {}, h("h1", { class: "place-name", "aria-busy": "true" }, t("loading")));
  const trouble = h("div", {});
  const grid = h("ul", { class: "cards" });
  const more = h("button", { class: "button", hidden: true, onclick: () => load({ append: true }) }, t("more"));
  const below = h("div", { hidden: true });
  const move = h("button", { class: "button small", onclick: movePhotos }, t("place.move"));
  const draft = JSON.stringify(["draft", collection, placeId]);
  let shown = [];
  let total = 0;
  let cursor = null;

  async function load({ append = false } = {}) {
    await attempt(async () => {
      const page = await images({ collection, placeId, cursor: append ? cursor : null }).catch(nothingIfGone);
      shown = append ? [...shown, ...page.images] : page.images;
      ({ total, next_cursor: cursor } = page);
      draw();
    }, load);
  }

  /** Run `action`; show its error above the photos. */
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
    move.hidden = shown.length === 0;
    grid.replaceChildren(...shown.map((image) => imageCard(image, removeImage)));
    if (!head.querySelector("form")) drawHead(); // the form stays open while photos come and go
  }

  function drawHead() {
    const place = shown[0]?.place;
    if (place?.name) entitle(place.name);
    if (place && hasDraft(draft)) return edit();
    refill(
      head,
      h(
        "div",
        { class: "heading" },
        h("h1", { class: "place-name" }, place ? place.name || t("place.unnamed") : t("place.gone")),
        place &&
          h(
            "div",
            { class: "row" },
            h("button", { class: "button", onclick: edit }, deskIcon("pencil"), t("place.edit")),
            h("button", { class: "button", onclick: editRecordings }, t("place.audio")),
            h("button", { class: "button", onclick: () => hide(!place.hidden) }, t(place.hidden ? "place.show" : "place.hide")),
            link(icon("camera"), "place.visit", address("exhibit", collection, placeId)),
            link(deskIcon("qr"), "place.label", address("collections", collection, "places", placeId, "label")),
          ),
      ),
      place?.hidden ? h("p", {}, h("span", { class: "pill added" }, t("place.hidden"))) : "",
      place ? h("p", { class: "description" }, place.description) : "",
      (place && plainFacts(place.metadata)) ?? "",
    );
  }

  const edit = () =>
    attempt(async () => {
      const parts = [import("./place_form.js"), readPlace(collection, placeId), useWords("texts/")];
      const [{ placeForm }, read] = await Promise.all(parts);
      if (head.querySelector("form")) return; // the form is being edited
      let { tag } = read;

      const save = (change) =>
        attempt(async () => {
          try {
            const isChange = Object.keys(change).length > 0;
            const { place } = isChange ? await changePlace(collection, placeId, change, tag) : read;
            shown = shown.map((image) => ({ ...image, place }));
          } catch (error) {
            // Only the edited fields are sent, so saving again keeps the other person's changes of other fields.
            if (error.code === "changed_meanwhile") ({ tag } = await readPlace(collection, placeId));
            throw error;
          }
          forgetDraft(draft);
          drawHead();
          focusHeading(head);
          announce(t("place.saved"));
        });

      head.replaceChildren(placeForm(read.place, { draft, onsave: save, oncancel: drawHead }));
      head.querySelector("input").focus();
    });

  const hide = (isHidden) =>
    attempt(async () => {
      const { setHidden } = await import("./hide.js");
      const [place] = await setHidden(collection, [shown[0].place], isHidden);
      shown = shown.map((image) => ({ ...image, place }));
      drawHead();
      focusHeading(head);
    });

  const deleteAt = async (...what) => (await import("./trash.js")).deleteWithUndo(...what);

  async function movePhotos() {
    const parts = () => [import("./move.js"), useWords("table/"), styled("style/table.css")];
    await openFetched(parts, ({ openMove }) => openMove(collection, shown, load));
  }

  function editRecordings() {
    const words = () => [useWords("recordings/"), useWords("texts/"), styled("style/table.css")];
    const parts = () => [import("./recordings.js"), ...words()];
    openFetched(parts, ({ openRecordings }) => openRecordings(collection, placeId));
  }

  const removeImage = ({ id, filename }) =>
    attempt(async () => {
      await deleteAt([imagePath(id)], filename);
      focusHeading(head);
    });

  const removePlace = () =>
    attempt(async () => {
      await deleteAt([placePath(collection, placeId)], shown[0].place.name);
      location.hash = address("collections", collection);
    });

  document.addEventListener("deletion", () => load(), { signal: leave.signal });
  queue.addEventListener("change", () => queue.state === "finished" && load(), { signal: leave.signal });
  load();
  below.append(
    h("section", {}, h("div", { class: "heading" }, h("h2", {}, t("place.photos")), move), grid, more),
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
  return { title: t("collection.places"), element, dispose, isEdited: () => hasDraft(draft) };
}

const link = (sign, words, href) => h("a", { class: "button", href }, sign, t(words));

/** A collection that was not created explicitly is deleted with its last photo. */
function nothingIfGone(error) {
  if (error.code !== "unknown_collection") throw error;
  return { images: [], total: 0, next_cursor: null };
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
