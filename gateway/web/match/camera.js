/** The camera's picture in the page, with a frame. A tap takes a photo at the camera's full resolution. */

import { openDialog } from "../page/dialogs.js";
import { fileButton, h } from "../page/dom.js";
import { icon } from "../page/icons.js";
import { t } from "../page/language.js";
import { isCanvasTrue } from "./photo.js";
import { openTips } from "./tips.js";

// The resolution counts where the browser takes no still photo: there the photo is a frame of the video.
const WANTED = { facingMode: { ideal: "environment" }, width: { ideal: 3840 }, height: { ideal: 2160 } };
const STILL_MS = 4000;
const QUALITY = 0.95;

/**
 * Open the viewfinder. The camera runs only while the viewfinder is on the screen.
 * @param {(photo: Blob) => void} onfile
 * @param {() => void} onrefused called if the page may not use the camera, or there is none
 */
export function openCamera(onfile, onrefused) {
  const video = h("video", { playsinline: true, "aria-label": t("camera.picture") });
  const shutter = h("button", { class: "shutter", "aria-label": t("camera.take"), disabled: true, onclick: take });
  const close = () => h("button", { class: "button plain", "aria-label": t("close"), onclick: () => dialog.close() }, icon("cross"));
  const stage = h(
    "div",
    { class: "stage" },
    h("div", { class: "view" }, video),
    h("p", { class: "aim", role: "status" }, t("camera.aim")),
    h(
      "div",
      { class: "controls" },
      close(),
      shutter,
      h("button", { class: "button plain", "aria-label": t("match.tips"), onclick: openTips }, "?"),
    ),
  );
  const dialog = h("dialog", { class: "viewfinder", "aria-label": t("match.camera") }, stage);
  let attempt = 0; // of opening the camera; what an earlier one still returns is discarded
  let stream = null;

  async function start() {
    const current = ++attempt;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: WANTED, audio: false });
      if (current !== attempt) return end(opened);
      stream = opened;
      stream.getVideoTracks()[0].onended = refuse; // another app has taken the camera
      video.muted = true; // else some phones do not play it without a tap
      video.srcObject = stream;
      await video.play();
      if (current === attempt) shutter.disabled = false;
    } catch {
      if (current === attempt) refuse();
    }
  }

  function stop() {
    attempt += 1;
    if (stream) end(stream);
    stream = video.srcObject = null;
    shutter.disabled = true;
  }

  async function take() {
    const current = attempt;
    shutter.disabled = true;
    const photo = await still(video).catch(() => null);
    if (current !== attempt) return; // it was closed or hidden
    if (!photo) return refuse();
    dialog.close();
    onfile(photo);
  }

  /** Offer the system's camera app instead. */
  function refuse() {
    stop();
    onrefused();
    document.removeEventListener("visibilitychange", onvisibility);
    const system = fileButton({
      label: [icon("camera"), t("camera.system")],
      className: "button primary large",
      accept: "image/*",
      capture: "environment",
      onfiles: ([file]) => {
        dialog.close();
        onfile(file);
      },
    });
    stage.replaceChildren(h("p", { class: "refused", role: "alert" }, t("camera.refused")), system, close());
    system.querySelector("input").focus();
  }

  const onvisibility = () => (document.hidden ? stop() : start());
  document.addEventListener("visibilitychange", onvisibility);
  dialog.addEventListener("close", () => {
    document.removeEventListener("visibilitychange", onvisibility);
    stop();
  });
  openDialog(dialog);
  if (isCanvasTrue()) start();
  else refuse(); // a frame would not be the camera's picture
}

function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** The sensor's own photo where the browser can take one, else the frame that is shown. */
async function still(video) {
  const [track] = video.srcObject.getVideoTracks();
  return (await sensorPhoto(track).catch(() => null)) ?? frame(video);
}

async function sensorPhoto(track) {
  if (!("ImageCapture" in window)) return null;
  const camera = new ImageCapture(track);
  const { imageWidth, imageHeight } = await camera.getPhotoCapabilities();
  const photo = camera.takePhoto({ imageWidth: imageWidth.max, imageHeight: imageHeight.max });
  return Promise.race([photo, new Promise((resolve) => setTimeout(resolve, STILL_MS, null))]);
}

function frame(video) {
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
