/** The controls for a photo: the camera on touch devices, and a file. */

import { PICTURES, fileButton } from "../page/dom.js";
import { icon } from "../page/icons.js";

/**
 * Both controls; style/match.css shows the camera on touch screens only. Two inputs are needed, because Android's picker
 * has no camera without `capture`, and no files with it.
 */
export const photoButtons = ({ camera, choose, onfile }) => [
  fileButton({
    label: [icon("camera"), camera],
    className: "button primary large camera",
    accept: "image/*",
    capture: "environment",
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
    capture: matchMedia("(pointer: coarse)").matches ? "environment" : null,
    onfiles: ([file]) => onfile(file),
  });
