/** The user's identity; their role decides what the page shows. */

import { session } from "./api.js";

let known = null; // {name, role}, null until the server has answered

/** Fires `change` when somebody signs in or out. */
export const identity = new EventTarget();

/** In a frame on another site everybody is a visitor; browsers send no session cookie from there. */
export const isFramed = window !== window.top;

export const isStaff = () => !isFramed && ["manage", "admin"].includes(known?.role);

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
