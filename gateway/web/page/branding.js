/** How the page presents the museum of the visitor's collection: its name, logo, colour, privacy note and footer. */

import { collectionPath } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./language.js";

const foot = h("footer", { class: "foot" });
document.getElementById("main").after(foot);

/**
 * Show a museum's colour, its logo and name in the bar, and its notes below the view; with null the page's own.
 * @param {object | null} branding BrandingBody
 */
export function wear(branding, collection) {
  const { accent, logo, title, ...notes } = branding ?? {};
  for (const scheme of ["light", "dark"]) {
    document.documentElement.style.setProperty(`--accent-${scheme}`, accent?.[scheme] ?? "");
  }
  if (logo || title) {
    const brand = document.querySelector(".brand");
    const src = logo && `${collectionPath(collection, "/logo")}?v=${logo}`;
    brand.classList.add("own");
    brand.replaceChildren(logo ? h("img", { src, alt: "" }) : icon("mark"), title && h("span", {}, title));
    if (title) brand.setAttribute("aria-label", title);
  }
  foot.replaceChildren(...footer(notes));
}

function footer({ privacy_note: note, privacy_url: policy, footer: line, footer_url: href }) {
  const link = (url, words) => (url ? h("a", { href: url, target: "_blank", rel: "noreferrer" }, words) : words);
  return [
    note
      ? h("details", {}, h("summary", {}, t("privacy")), h("p", {}, note), policy && h("p", {}, link(policy, policy)))
      : policy && link(policy, t("privacy")),
    line && h("p", {}, link(href, line)),
  ].filter(Boolean);
}
