/** Dropped or chosen files: folders and archives with the names of their files. */

const ZIP = /\.zip$/i;

/**
 * @typedef {{name: string, paths?: string[], directory?: Uint8Array, photos: number[],
 *   files: {size: number, load: (path: string) => Promise<File>}[]}} Source
 *   a folder with its `paths`, or an archive with its `directory`; `photos` are numbers of files that are photos by content
 * @typedef {{sources: Source[], archives: File[], unreadable: string[]}} Selection
 *   `archives` are ZIP files that only the server can unpack
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
  // A reader returns at most a hundred entries per call, and an empty list at the end.
  for (let some = await read(); some.length > 0; some = await read()) {
    for (const child of some) await walk(child, `${path}/`, found);
  }
}

async function select(found) {
  const selection = { sources: [], archives: [], unreadable: [] };
  found.sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  const loose = found.filter(({ path }) => !ZIP.test(path));
  const photos = [];
  for (const [number, { file }] of loose.entries()) {
    if (file.type.startsWith("image/") || (await startsLikeAPhoto(file))) photos.push(number);
  }
  if (loose.length > 0) {
    const files = loose.map(({ file }) => ({ size: file.size, load: () => readable(file) }));
    selection.sources.push({ name: "", paths: loose.map(({ path }) => path), photos, files });
  }
  for (const { file } of found.filter(({ path }) => ZIP.test(path))) await openArchive(file, selection);
  return selection;
}

async function openArchive(file, selection) {
  const { readZip, ZipError } = await import("./zip.js");
  try {
    const { directory, entries } = await readZip(file);
    if (!("DecompressionStream" in globalThis)) return selection.archives.push(file);
    const photos = [];
    for (const [number, entry] of entries.entries()) {
      if (entry.isNamed) continue;
      const start = await entry.start().catch(() => new Blob()); // why it cannot be unpacked is said when it is sent
      if (await startsLikeAPhoto(start)) photos.push(number);
    }
    selection.sources.push({ name: file.name.replace(ZIP, ""), directory, photos, files: entries });
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    selection.unreadable.push(file.name);
  }
}

/** Recognises JPEG, PNG, WebP, AVIF and HEIC by the first bytes, as the server does; false if the file is gone. */
async function startsLikeAPhoto(file) {
  const start = await file.slice(0, 256).arrayBuffer().catch(() => new ArrayBuffer(0));
  const text = String.fromCharCode(...new Uint8Array(start));
  return /^(\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|....ftyp(....)*?(avi[fs]|he[iv][cmsx]|m[is]f1))/s.test(text);
}

/** Returns the file, after checking that it has not been moved or changed since, which would break the upload. */
async function readable(file) {
  await file.slice(0, 1).arrayBuffer();
  return file;
}
