/**
 * Reads a ZIP file in the browser, entry by entry, without loading all of it.
 * Layout: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (its end) and
 * 4.5.3 (sizes of large files). The server decodes the names, because their encoding is often not declared.
 */

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;
const LOCATOR_SIZE = 20;
const MAX_COMMENT = 0xffff;
const LARGE = 0xffffffff;
const SIZES_64 = 0x0001;
const STORED = 0;
const DEFLATED = 8;
const PHOTO = /\.(jpe?g|png|webp|avif|hei[cf])$/i;
const OTHER_METHODS = { 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 99: "AES" };

/** Not a ZIP file, or one of an unsupported kind; `code` is the key of its text. */
export class ZipError extends Error {
  constructor(message, code = null) {
    super(message);
    this.code = code;
  }
}

const viewOf = async (blob) => new DataView(await blob.arrayBuffer());
const large = (view, at) => Number(view.getBigUint64(at, true));

/**
 * List the files of a ZIP.
 * @param {File} archive
 * @returns {Promise<{directory: Uint8Array, entries: {isNamed: boolean, size: number, load: (name: string) => Promise<File>,
 *   start: () => Promise<Blob>}[]}>} `directory` are its bytes, `entries` are in its order; `isNamed`: the name is a photo's;
 *   `load` unpacks an entry, `start` its beginning
 * @throws {ZipError}
 */
export async function readZip(archive) {
  const { start, length, count, shift } = await findDirectory(archive);
  const directory = await viewOf(archive.slice(start, start + length));
  const entries = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== ENTRY)
      throw new ZipError("damaged directory");
    const [name, extra, comment] = [28, 30, 32].map((field) => directory.getUint16(at + field, true));
    const entry = {
      flags: directory.getUint16(at + 8, true),
      method: directory.getUint16(at + 10, true),
      packed: directory.getUint32(at + 20, true),
      size: directory.getUint32(at + 24, true),
      header: directory.getUint32(at + 42, true),
    };
    readLargeSizes(directory, at + 46 + name, at + 46 + name + extra, entry);
    entry.header += shift;
    const bytes = new Uint8Array(directory.buffer, directory.byteOffset + at + 46, name);
    entries.push({
      isNamed: PHOTO.test(String.fromCharCode(...bytes.subarray(-5))),
      size: entry.size,
      load: (path) => unpack(archive, entry, path),
      start: () => unpackStart(archive, entry),
    });
    at += 46 + name + extra + comment;
  }
  return { directory: new Uint8Array(directory.buffer, directory.byteOffset, at), entries };
}

async function findDirectory(archive) {
  const from = Math.max(0, archive.size - END_SIZE - MAX_COMMENT - LOCATOR_SIZE);
  const tail = await viewOf(archive.slice(from));
  for (let at = tail.byteLength - END_SIZE; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END) continue;
    const found = {
      count: tail.getUint16(at + 10, true),
      length: tail.getUint32(at + 12, true),
      start: tail.getUint32(at + 16, true),
    };
    const locator = at - LOCATOR_SIZE;
    if (locator >= 0 && tail.getUint32(locator, true) === LOCATOR_64) {
      return findLargeDirectory(archive, large(tail, locator + 8));
    }
    return placed(found, from + at);
  }
  throw new ZipError("no directory");
}

async function findLargeDirectory(archive, end) {
  const view = await viewOf(archive.slice(end, end + 56));
  if (view.byteLength < 56 || view.getUint32(0, true) !== END_64) throw new ZipError("damaged directory");
  return placed({ count: large(view, 32), length: large(view, 40), start: large(view, 48) }, end);
}

/** Bytes before the archive, such as a program that unpacks it, shift all positions. */
function placed({ count, length, start }, end) {
  const shift = end - length - start;
  if (shift < 0) throw new ZipError("damaged directory");
  return { count, length, start: start + shift, shift };
}

/** Sizes and positions above 4 GB are in an extra field: only those that do not fit, in this order. */
function readLargeSizes(view, from, to, entry) {
  for (let at = from; at + 4 <= to; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== SIZES_64) continue;
    let value = at + 4;
    for (const field of ["size", "packed", "header"]) {
      if (entry[field] !== LARGE) continue;
      entry[field] = large(view, value);
      value += 8;
    }
  }
}

async function unpack(archive, entry, path) {
  const content = await packedContent(archive, entry);
  const name = path.split("/").at(-1);
  if (entry.method === STORED) return new File([content], name);
  try {
    return new File([await new Response(inflated(content)).blob()], name);
  } catch {
    throw new ZipError("the file is damaged inside the archive", "zip_damaged");
  }
}

async function unpackStart(archive, entry) {
  const content = await packedContent(archive, entry);
  if (entry.method === STORED) return content.slice(0, 256);
  const reader = inflated(content).getReader();
  const { value } = await reader.read();
  reader.cancel().catch(() => {}); // nothing more of it is wanted
  return new Blob(value ? [value] : []);
}

async function packedContent(archive, { flags, method, packed, header }) {
  if (flags & 1) throw new ZipError("the file is encrypted", "zip_encrypted");
  if (method !== STORED && method !== DEFLATED) {
    throw new ZipError(`compressed by ${OTHER_METHODS[method] ?? `method ${method}`}`, "zip_method");
  }
  const local = await viewOf(archive.slice(header, header + 30));
  const start = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  return archive.slice(start, start + packed);
}

const inflated = (content) => content.stream().pipeThrough(new DecompressionStream("deflate-raw"));
