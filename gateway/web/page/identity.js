/** The user's identity; their role decides what the page shows. */

import { session } from "./api.js";

let known = null; // {name, role}, null until the server has answered

/** Fires `change` when somebody signs in or out. */
export const identity = new EventTarget();

/** With ?visitor in the address, or in a frame on another site, everybody is a visitor; nothing leads to staff's views. */
export const isVisitorMode = window !== window.top || new URLSearchParams(location.search).has("visitor");

export const isStaff = () => !isVisitorMode && ["manage", "admin"].includes(known?.role);

/** True for visitors without a staff role; false until the server has answered. */
export const isVisitor = () => known !== null && !isStaff();

/** Get the caller's identity from the server. */
export async function identify() {
  try {
    known = await session();
  } catch {
    return; // the page's next request reports the error
  }
  identity.dispatchEvent(new Event("change"));
}
