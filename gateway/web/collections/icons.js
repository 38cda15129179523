/** The icons of the operator's views alone. */

import { icon } from "../page/icons.js";

const PATHS = {
  pencil: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM14 6.5l3.5 3.5",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2M20 14v2h-2v4M14 20h2M20 20h.01",
  inbox: "M4 13L7 5h10l3 8v6H4zM4 13h5l1 2.5h4l1-2.5h5",
  chart: "M4 20h16M7 16v-5M12 16V6M17 16v-8",
};

export const deskIcon = (name) => icon(name, PATHS);
