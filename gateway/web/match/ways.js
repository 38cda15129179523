/** The ways to a photo: the camera where there is one at hand, a file everywhere. */

import { PICTURES, fileButton } from "../page/dom.js";
import { icon } from "../page/icons.js";

/**
 * Both ways; style/match.css shows the camera on touch screens alone. Without `capture` Android's picker has no camera,
 * and with it no pictures: hence two inputs.
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

/** One more photo of the thing in front of the visitor: the camera on touch screens, else a file. */
export const viewButton = (label, onfile) =>
  fileButton({
    label: [icon("plus"), label],
    accept: PICTURES,
    capture: matchMedia("(pointer: coarse)").matches ? "environment" : null,
    onfiles: ([file]) => onfile(file),
  });
