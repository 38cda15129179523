/** What a person dropped or chose, flattened into photos with their folders. */

const PICTURE = /\.(jpe?g|png|webp|avif|hei[cf])$/i;
const CLUTTER = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$)/i;
const MANIFEST = /(^|\/)manifest\.csv$/i;

/**
 * @typedef {{path: string, size: number, load: () => Promise<File>}} Source a photo, read when its turn comes
 * @typedef {{photos: Source[], archives: File[], skipped: number, unreadable: string[]}} Selection
 *   `archives` are ZIP files the server has to unpack itself: they carry a manifest, or are too large for us.
 */

/** Files of an input element. @returns {Promise<Selection>} */
export function fromFiles(files) {
  return select(files.map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/** Files and folders of a drop, as the browser's FileSystemEntry. @returns {Promise<Selection>} */
export async function fromEntries(entries) {
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return select(found);
}

async function walk(entry, folder, found) {
  const path = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path });
    return;
  }
  const reader = entry.createReader();
  const read = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  // A reader hands out at most a hundred entries at a time and an empty list at the end.
  for (let some = await read(); some.length > 0; some = await read()) {
    for (const child of some) await walk(child, `${path}/`, found);
  }
}

async function select(found) {
  const selection = { photos: [], archives: [], skipped: 0, unreadable: [] };
  for (const { file, path } of found) {
    if (CLUTTER.test(path)) continue;
    if (/\.zip$/i.test(path)) await openArchive(file, selection);
    else if (PICTURE.test(path) || file.type.startsWith("image/")) {
      selection.photos.push({ path, size: file.size, load: () => readable(file) });
    } else selection.skipped += 1;
  }
  selection.photos.sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  return selection;
}

async function openArchive(file, selection) {
  const { readZip, ZipError } = await import("./zip.js");
  try {
    const entries = (await readZip(file)).filter(({ path }) => !CLUTTER.test(path));
    const isForServer = entries.some(({ path }) => MANIFEST.test(path)) || !("DecompressionStream" in self);
    if (isForServer) return selection.archives.push(file);
    const photos = entries.filter(({ path }) => PICTURE.test(path));
    selection.photos.push(...photos);
    selection.skipped += entries.length - photos.length;
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    if (error.message === "zip64") selection.archives.push(file);
    else selection.unreadable.push(file.name);
  }
}

/** The file itself, unless it has been moved or changed since: better known now than as a broken upload. */
async function readable(file) {
  await file.slice(0, 1).arrayBuffer();
  return file;
}

/** The innermost folder of a path, or null. */
export function folderOf(path) {
  return path.split("/").at(-2) ?? null;
}
