/** Prepares a photo for sending: upright, at most 1600 px, without metadata such as position and time. */

const MAX_SIDE = 1600;
const QUALITY = 0.88;
const ENCODING_MS = 8000;
const PROBE_SIDE = 8;
const WHOLE = { x: 0, y: 0, width: 1, height: 1 };

/**
 * @param {Blob} file an image in any format of the browser or the server
 * @returns {Promise<{blob: Blob, url: string, isVisible: boolean, original: Blob}>} `blob` is the file itself if this
 *   browser cannot decode it (HEIC outside Safari: `isVisible` is false) or its canvas cannot be trusted
 */
export async function preparePhoto(file) {
  const source = new Image();
  source.src = URL.createObjectURL(file);
  try {
    await source.decode();
  } catch {
    return { blob: file, url: source.src, isVisible: false, original: file };
  }
  const blob = isCanvasTrue() ? await reduced(source) : null;
  if (!blob) return { blob: file, url: source.src, isVisible: true, original: file };
  URL.revokeObjectURL(source.src);
  return { blob, url: URL.createObjectURL(blob), isVisible: true, original: file };
}

/** A part of the photo, in shares of its sides, as a smaller JPEG; null if memory is short, or the browser does not answer. */
export function reduced(source, part = WHOLE) {
  const [width, height] = [source.naturalWidth * part.width, source.naturalHeight * part.height];
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  pen.fillStyle = "#fff"; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  const [x, y] = [source.naturalWidth * part.x, source.naturalHeight * part.y];
  pen.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => {
    setTimeout(resolve, ENCODING_MS, null);
    canvas.toBlob(resolve, "image/jpeg", QUALITY);
  });
}

/**
 * Whether the canvas returns the pixels that were drawn. Against fingerprinting, some browsers change them: Firefox with
 * privacy.resistFingerprinting returns stripes or noise (which would be sent instead of the photo), Brave changes the
 * last bit of some pixels (which does no harm).
 */
export function isCanvasTrue() {
  const pen = Object.assign(document.createElement("canvas"), { width: PROBE_SIDE, height: PROBE_SIDE }).getContext("2d");
  if (!pen) return false;
  const colour = [40, 90, 200];
  pen.fillStyle = `rgb(${colour})`;
  pen.fillRect(0, 0, PROBE_SIDE, PROBE_SIDE);
  const { data } = pen.getImageData(0, 0, PROBE_SIDE, PROBE_SIDE);
  return data.every((value, at) => at % 4 === 3 || Math.abs(value - colour[at % 4]) <= 4);
}
