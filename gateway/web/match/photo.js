/** A photo made ready to travel: upright, at most 1600 px, without the place and time written inside it. */

/** What a person may choose. */
export const PICTURES = "image/*,.heic,.heif,.avif";

const MAX_SIDE = 1600;
const QUALITY = 0.88;

/**
 * @param {Blob} file any picture the browser or the server may understand
 * @returns {Promise<{blob: Blob, url: string, isVisible: boolean}>} `isVisible` is false for a picture only the
 *   server can decode (HEIC outside Safari): it is sent as it is.
 */
export async function preparePhoto(file) {
  const source = new Image();
  source.src = URL.createObjectURL(file);
  try {
    await source.decode();
  } catch {
    return { blob: file, url: source.src, isVisible: false };
  }
  const scale = Math.min(1, MAX_SIDE / Math.max(source.naturalWidth, source.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(source.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(source.naturalHeight * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff"; // JPEG knows no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  URL.revokeObjectURL(source.src);
  if (!blob) return { blob: file, url: URL.createObjectURL(file), isVisible: true }; // no memory for the canvas
  return { blob, url: URL.createObjectURL(blob), isVisible: true };
}
