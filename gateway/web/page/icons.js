/** The icons of the page, 24 x 24, in the current text colour. */

import { svg } from "./dom.js";

const PATHS = {
  mark: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M12 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 1 0 0-3.2",
  camera: "M4 8h3.2l1.6-2.5h6.4L16.8 8H20v11H4zM12 10a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 1 0 0-6.8",
  photo: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 8.5h.01",
  folder: "M3 6h6l2 2.5h10V19H3z",
  archive: "M5 3h14v18H5zM12 3v3M12 8v2M12 12v2M10.5 16.5h3v2h-3z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  alert: "M12 4l9 16H3zM12 10v4.5M12 17.3h.01",
  left: "M14.5 5l-7 7 7 7",
  right: "M9.5 5l7 7-7 7",
  bin: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 13h8.4L17 7M10.3 10.5v6M13.7 10.5v6",
  plus: "M12 5v14M5 12h14",
  pin: "M12 21s6.5-6.4 6.5-11.2a6.5 6.5 0 0 0-13 0C5.5 14.6 12 21 12 21zM12 7.6a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 1 0 0-4.6",
  refresh: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  pause: "M9 6v12M15 6v12",
};

/** A decorative icon; the text beside it has the meaning. */
export function icon(name, paths = PATHS) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: paths[name] }));
}

/** An exhibit in a viewfinder: what the empty match page shows. */
export function exhibitDrawing() {
  const lines = [
    "M86 56h28M90 56c0 14 4 18 1 26-6 16-25 24-25 52 0 26 14 40 22 46h24c8-6 22-20 22-46 0-28-19-36-25-52-3-8 1-12 1-26",
    "M71 116c9 5 17 7 29 7s20-2 29-7M67 140c10 6 20 8 33 8s23-2 33-8",
    "M80 86c-16-2-24 12-13 22M120 86c16-2 24 12 13 22",
    "M82 187h36M56 196h88v10H56zM64 206v44M136 206v44",
  ];
  return svg(
    "svg",
    { class: "exhibit", viewBox: "0 0 200 250", "aria-hidden": "true" },
    lines.map((d) => svg("path", { d })),
  );
}
