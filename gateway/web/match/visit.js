/** My visit: the exhibits that this device has been answered with. */

import { confirmed } from "../page/dialogs.js";
import { h, refill } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t, when } from "../page/language.js";
import { address, matchAddress } from "../page/router.js";
import { forgetVisited, visited } from "./visited.js";
import { chosen, invitation } from "./where.js";

export function visitView({ present }) {
  const root = h("div", { class: "match visit" });

  function draw() {
    const entries = visited();
    refill(
      root,
      h("h1", {}, t("visit.title")),
      h("p", { class: "muted" }, t(entries.length > 0 ? "visit.text" : "visit.none")),
      entries.length > 0 && h("ul", { class: "cards" }, entries.map(card)),
      h(
        "div",
        { class: "row" },
        h("a", { class: "button primary", href: matchAddress(invitation()) }, icon("camera"), t("visit.camera")),
        entries.length > 0 && h("button", { class: "button danger", onclick: forgetAll }, icon("bin"), t("visit.forget")),
      ),
    );
  }

  const card = ({ request, at, collection, id, name, src }) =>
    h(
      "li",
      {},
      h(
        "a",
        { class: "card", href: address("exhibit", collection, id) },
        h("img", { src, alt: "", loading: "lazy", onerror: ({ target }) => target.remove() }),
        h("span", { class: "card-name" }, name),
        h("time", { class: "muted", datetime: at }, when(at)),
      ),
      h(
        "button",
        { class: "button plain", "aria-label": t("visit.remove", { name }), onclick: () => forget(request) },
        icon("cross"),
      ),
    );

  function forget(request) {
    forgetVisited((entry) => entry.request === request);
    draw();
  }

  async function forgetAll() {
    const question = { title: t("visit.forget.title"), text: t("visit.forget.text"), action: t("visit.forget") };
    if (!(await confirmed(question))) return;
    forgetVisited(() => true);
    draw();
  }

  const museum = invitation() ?? chosen();
  if (museum) present(museum);
  draw();
  return { title: t("visit.title"), element: root };
}
