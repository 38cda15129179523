/** Which collection a visitor asks: the one that a QR code led to, else the one chosen last on this device. */

import { device } from "../page/storage.js";

const CHOSEN = "collection";
const INVITED = "invited";

/** The collection a QR code led this device to last, or null. */
export const invitation = () => device.get(INVITED);

export const invite = (collection) => device.set(INVITED, collection);

export const chosen = () => device.get(CHOSEN);

/** Remember what the visitor chose; from now on it counts more than a QR code. */
export function choose(collection) {
  device.set(CHOSEN, collection);
  device.remove(INVITED);
}
