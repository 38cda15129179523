/** The visitor's collection: that of the last QR code, else the one chosen last on this device. */

import { device } from "../page/storage.js";

const CHOSEN = "collection";
const INVITED = "invited";

/** The collection of the last QR code on this device, or null. */
export const invitation = () => device.get(INVITED);

export const invite = (collection) => device.set(INVITED, collection);

export const chosen = () => device.get(CHOSEN);

/** Store the visitor's choice; from now on it overrides a QR code. */
export function choose(collection) {
  device.set(CHOSEN, collection);
  device.remove(INVITED);
}
