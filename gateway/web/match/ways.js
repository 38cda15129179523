/** The controls for a photo: the camera on touch devices, and a file. */

import { openFetched } from "../page/dialogs.js";
import { PICTURES, fileButton, styled } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { useWords } from "../page/language.js";

let isLive = Boolean(navigator.mediaDevices?.getUserMedia); // absent over plain HTTP; false once it was refused

/** Open a part of the page that shares the viewfinder's style and texts. */
export const openBesideCamera = (fetchModule, open) =>
  openFetched(() => [fetchModule(), useWords("camera/"), styled("style/camera.css")], open);

/** The page's own viewfinder if the browser lets it use the camera, else the system's camera app. */
const camera = (onfile) => ({
  capture: "environment",
  onclick: (event) => {
    if (!isLive) return;
    event.preventDefault();
    openBesideCamera(() => import("./camera.js"), ({ openCamera }) => openCamera(onfile, () => (isLive = false)));
  },
});

/**
 * Both controls; style/match.css shows the camera on touch screens only. Two inputs are needed, because Android's picker
 * has no camera without `capture`, and no files with it.
 */
export const photoButtons = ({ take, choose, onfile }) => [
  fileButton({
    label: [icon("camera"), take],
    className: "button primary large camera",
    accept: "image/*",
    ...camera(onfile),
    onfiles: ([file]) => onfile(file),
  }),
  fileButton({
    label: [icon("photo"), choose],
    className: "button large choose",
    accept: PICTURES,
    onfiles: ([file]) => onfile(file),
  }),
];

/** The control for one more photo of the same thing: the camera on touch screens, else a file. */
export const viewButton = (label, onfile) =>
  fileButton({
    label: [icon("plus"), label],
    accept: PICTURES,
    ...(matchMedia("(pointer: coarse)").matches && camera(onfile)),
    onfiles: ([file]) => onfile(file),
  });
