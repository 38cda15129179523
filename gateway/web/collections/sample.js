/** The sample collection: marked as a sample, with photos to try it. */

import { errorNotice } from "../page/dialogs.js";
import { h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { matchAddress } from "../page/router.js";

/** On the sample's page: a notice, the photographers, and photos to try. */
export function samplePanel({ collection, queries, source }, session) {
  const trouble = h("div", {});
  const remove = () =>
    import("./manage.js")
      .then(({ removeAtOnce }) => removeAtOnce(collection))
      .catch((error) => trouble.replaceChildren(errorNotice(error)));
  return h(
    "section",
    { class: "panel sample" },
    h("h2", {}, t("sample.title")),
    h("p", {}, t("sample.explain")),
    h("p", { class: "muted" }, t("sample.try")),
    h("ul", { class: "queries" }, queries.map((query) => queryButton(query, collection, session))),
    h("button", { class: "button", onclick: remove }, icon("bin"), t("sample.remove")),
    trouble,
    h(
      "details",
      { class: "details" },
      h("summary", {}, t("sample.credits")),
      h("p", { class: "muted" }, `${t("sample.source")} ${source}`),
      h("ul", {}, queries.map(({ name, photographer, terms }) => h("li", {}, `${name}: ${photographer} (${terms})`))),
    ),
  );
}

/** A photo to try the sample with, as a file. */
async function sampleQuery({ url }) {
  const answer = await fetch(url);
  return new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" });
}

function queryButton(query, collection, session) {
  async function ask() {
    session.ask(await sampleQuery(query), async () => collection);
    location.hash = matchAddress(collection, "answer");
  }
  const label = query.place_id ? t("sample.ask", { name: query.name }) : t("sample.ask.stranger");
  return h(
    "li",
    {},
    h("button", { class: "query", "aria-label": label, onclick: ask }, h("img", { src: query.url, alt: "", loading: "lazy" })),
  );
}
