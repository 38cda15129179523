/** Photos that visitors have sent because the answer was none, uncertain or wrong; a curator says what they show. */

import { changeJson, collectionPath, json } from "../page/api.js";
import { errorNotice, loadingNotice, openDialog } from "../page/dialogs.js";
import { announce, h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { day, t, when } from "../page/language.js";
import { address } from "../page/router.js";
import { query } from "./api.js";
import { placeSearch } from "./place_search.js";

const FEW = 20;
const ANSWERS = { match: "inbox.answered", maybe: "inbox.maybe", none: "inbox.refused" };

const page = (collection, cursor) => json(collectionPath(collection, "/inbox") + query({ cursor, limit: 50 }));
const decide = (id, decision) => changeJson("POST", `inbox/${id}/decision`, decision);

export function inboxView(_context, { segments: [, collection] }) {
  const content = h("div", {}, loadingNotice());
  const load = () =>
    page(collection).then(
      (first) => refill(content, ...inbox(collection, first)),
      (error) => refill(content, errorNotice(error, { retry: load })),
    );

  load();
  const element = h(
    "div",
    { class: "page" },
    h("a", { class: "back", href: address("collections", collection) }, icon("left"), collection),
    h("h1", {}, t("inbox.title")),
    content,
  );
  return { title: `${t("inbox.title")} · ${collection}`, element };
}

function inbox(collection, first) {
  if (first.days === 0) return [h("p", {}, t("inbox.off"))];
  const list = h("ul", { class: "cards wide" });
  const note = h("p", { class: "muted", role: "status" });
  const trouble = h("div", {});
  const more = h("button", { class: "button", onclick: next }, t("more"));
  let cursor = null;

  function show({ entries, next_cursor: following }) {
    cursor = following;
    more.hidden = !cursor;
    list.append(...entries.map((entry) => card(collection, entry, settle)));
    tell();
  }
  const tell = () => (note.textContent = list.hasChildNodes() || cursor ? "" : t("inbox.none"));
  const refuse = (error) => trouble.replaceChildren(errorNotice(error));
  function next() {
    return page(collection, cursor).then(show, refuse);
  }

  /** Remove the card once its action has succeeded. */
  async function settle(card, action, words) {
    trouble.replaceChildren();
    card.inert = true; // until it is known whether the first click has succeeded
    try {
      await action();
      const following = card.nextElementSibling ?? card.previousElementSibling;
      card.remove();
      following?.querySelector("button").focus();
      announce(words);
      tell();
    } catch (error) {
      card.inert = false;
      refuse(error);
    }
  }

  show(first);
  return [h("p", { class: "muted" }, t("inbox.text", { count: first.days })), trouble, note, list, more];
}

function card(collection, { id, kept_until: until, photo_url: url, match }, settle) {
  const { at, answer, place_id: nearest, place_name: name } = match;
  const known = name || t("place.unnamed");
  const act = (action, words) => settle(element, action, words);
  const add = (placeId, placeName) => act(() => decide(id, { shows: "place", place_id: placeId }), t("inbox.added", { name: placeName }));
  const create = (placeName) => act(() => decide(id, { shows: "new_place", place_name: placeName }), t("inbox.added", { name: placeName }));
  const button = (words, onclick) => h("button", { class: "button small", onclick }, words);
  const element = h(
    "li",
    { class: "card" },
    h("a", { href: url, target: "_blank" }, h("img", { src: url, alt: t("inbox.photo", { when: when(at) }), loading: "lazy" })),
    h("span", { class: "card-name" }, t(ANSWERS[answer], { name: known })),
    h("span", { class: "muted" }, when(at), " · ", t("inbox.until", { day: day(until) })),
    nearest && button(t("inbox.nearest", { name: known }), () => add(nearest, known)),
    button(t("inbox.place"), () => choosePlace(collection, add)),
    button(t("inbox.new"), () => namePlace(create)),
    button(t("inbox.nothing"), () => act(() => decide(id, { shows: "nothing" }), t("inbox.recorded"))),
    button(t("inbox.delete"), () => act(() => json(`inbox/${id}`, { method: "DELETE" }), t("inbox.deleted"))),
  );
  return element;
}

/** A dialog with a title and `body`; returns it. */
function dialogOf(title, ...body) {
  const dialog = h("dialog", { class: "question", "aria-labelledby": "inbox-question" }, h("h2", { id: "inbox-question" }, title), ...body);
  return openDialog(dialog);
}

const cancel = () => h("button", { class: "button", type: "button", onclick: (event) => event.target.closest("dialog").close() }, t("cancel"));

/** Search a place of the collection and choose it. */
function choosePlace(collection, onchoose) {
  const found = h("div", {});
  const row = ({ id, name }) => {
    const known = name || t("place.unnamed");
    return h("li", {}, h("button", { class: "button small", onclick: () => (dialog.close(), onchoose(id, known)) }, known));
  };
  const draw = (places) => [h("ul", { class: "recent" }, places.map(row))];
  const attributes = { autofocus: true, "aria-label": t("collection.search") };
  const { input, find, stop } = placeSearch({ collection, limit: FEW, found, draw }, attributes);
  const dialog = dialogOf(t("inbox.place.title"), input, found, h("div", { class: "row end" }, cancel()));
  dialog.addEventListener("close", stop);
  find();
}

/** Ask for the name of a new place. */
function namePlace(onname) {
  const name = h("input", { required: true, maxlength: 500, autocomplete: "off", autofocus: true });
  const onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    onname(name.value.trim());
  };
  const dialog = dialogOf(
    t("inbox.new.title"),
    h(
      "form",
      { onsubmit },
      h("label", { class: "field" }, h("span", {}, t("place.name")), name),
      h("div", { class: "row end" }, cancel(), h("button", { class: "button primary" }, t("inbox.new.add"))),
    ),
  );
}
