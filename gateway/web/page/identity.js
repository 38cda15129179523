/** Who uses the page: what they may do decides what they are shown. */

import { session } from "./api.js";

let known = null; // {name, role}, null until the server has answered

/** Fires `change` when somebody signs in or out. */
export const identity = new EventTarget();

export const isStaff = () => ["manage", "admin"].includes(known?.role);

/** Known to be no staff; before the server has answered nobody is. */
export const isVisitor = () => known !== null && !isStaff();

/** Ask the server who we are. */
export async function identify() {
  try {
    known = await session();
  } catch {
    return; // what the page asks next says what is wrong
  }
  identity.dispatchEvent(new Event("change"));
}
