/** The sample collection: made in one click, tried in one more, and said plainly to be a sample. */

import { errorNotice } from "../page/dialogs.js";
import { announce, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { currentLanguage, t } from "../page/language.js";
import { address } from "../page/router.js";
import { buildSample, sample, sampleQuery } from "./api.js";
import { removeAtOnce } from "./manage.js";

const POLL_MS = 700;

/** A button that builds the sample and leads to it; nothing where the photographs are not installed or it is there. */
export function sampleOffer() {
  const root = h("div", { class: "sample-offer" });
  let isLeft = false;

  async function follow(state) {
    if (isLeft) return;
    if (state.state === "building") {
      root.replaceChildren(
        h("p", { role: "status" }, t("sample.building", { done: state.done, total: state.total })),
        h("progress", { max: state.total, value: state.done, "aria-label": t("sample.load") }),
      );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      return attempt(() => sample(currentLanguage()));
    }
    if (state.state === "ready") {
      announce(t("sample.ready"));
      location.hash = address("collections", state.collection);
      return;
    }
    root.replaceChildren(h("p", { class: "problem", role: "alert" }, state.reason), button());
  }

  const attempt = (ask) =>
    ask().then(follow, (error) => root.replaceChildren(errorNotice(error, { retry: build })));
  const build = () => attempt(() => buildSample(currentLanguage()));
  const button = () => h("button", { class: "button", onclick: build }, icon("photo"), t("sample.load"));

  function refresh() {
    if (root.querySelector("progress")) return; // it is being followed already
    sample(currentLanguage()).then(
      (state) => {
        if (state.state === "building") return follow(state);
        const isOffered = ["absent", "failed"].includes(state.state);
        root.replaceChildren(...(isOffered ? [button(), h("p", { class: "muted" }, t("sample.about"))] : []));
      },
      () => {}, // an offer less; the rest of the page tells what is wrong
    );
  }

  return { element: root, refresh, dispose: () => (isLeft = true) };
}

/** On the sample's own page: that it is one, whose photographs they are, and questions to ask. Empty elsewhere. */
export function samplePanel(collection, session) {
  const root = h("div", { hidden: true });
  sample(currentLanguage()).then(
    (state) => {
      if (state.collection !== collection || state.state !== "ready") return;
      root.hidden = false;
      root.append(
        h(
          "section",
          { class: "panel sample" },
          h("h2", {}, t("sample.title")),
          h("p", {}, t("sample.explain")),
          h("p", { class: "muted" }, t("sample.try")),
          h("ul", { class: "queries" }, state.queries.map((query) => queryButton(query, collection, session))),
          h("button", { class: "button", onclick: () => removeAtOnce(collection) }, icon("bin"), t("sample.remove")),
          h(
            "details",
            { class: "details" },
            h("summary", {}, t("sample.credits")),
            h("p", { class: "muted" }, `${t("sample.source")} ${state.source}`),
            h(
              "ul",
              {},
              state.queries.map(({ name, photographer, terms }) => h("li", {}, `${name}: ${photographer} (${terms})`)),
            ),
          ),
        ),
      );
    },
    () => {},
  );
  return root;
}

function queryButton(query, collection, session) {
  async function ask() {
    const photo = await sampleQuery(query);
    location.hash = `${address("match")}?collection=${encodeURIComponent(collection)}`;
    session.ask(photo, collection);
  }
  const label = query.place_id ? t("sample.ask", { name: query.name }) : t("sample.ask.stranger");
  return h(
    "li",
    {},
    h("button", { class: "query", "aria-label": label, onclick: ask }, h("img", { src: query.url, alt: "", loading: "lazy" })),
  );
}
