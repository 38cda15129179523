/**
 * Reads a ZIP file in the browser, entry by entry, without loading the whole of it.
 * Layout: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory) and 4.3.16 (its end).
 */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;
const MAX_COMMENT = 0xffff;
const ZIP64 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

/** Not a ZIP file, or one of a kind that is not read here. */
export class ZipError extends Error {}

const viewOf = async (blob) => new DataView(await blob.arrayBuffer());

/**
 * List the files of a ZIP.
 * @param {File} archive
 * @returns {Promise<{path: string, size: number, load: () => Promise<File>}[]>} `load` unpacks one file
 * @throws {ZipError}
 */
export async function readZip(archive) {
  const { start, length, count } = await findDirectory(archive);
  const directory = await viewOf(archive.slice(start, start + length));
  const entries = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== ENTRY)
      throw new ZipError("damaged directory");
    const nameLength = directory.getUint16(at + 28, true);
    const name = new Uint8Array(directory.buffer, at + 46, nameLength);
    const entry = {
      path: decodeName(name),
      method: directory.getUint16(at + 10, true),
      packed: directory.getUint32(at + 20, true),
      size: directory.getUint32(at + 24, true),
      header: directory.getUint32(at + 42, true),
    };
    if (!entry.path.endsWith("/")) {
      entries.push({ path: entry.path, size: entry.size, load: () => unpack(archive, entry) });
    }
    at += 46 + nameLength + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  return entries;
}

async function findDirectory(archive) {
  const tail = await viewOf(archive.slice(-(END_SIZE + MAX_COMMENT)));
  for (let at = tail.byteLength - END_SIZE; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END) continue;
    const found = {
      count: tail.getUint16(at + 10, true),
      length: tail.getUint32(at + 12, true),
      start: tail.getUint32(at + 16, true),
    };
    if (found.start === ZIP64 || found.count === 0xffff) throw new ZipError("zip64");
    return found;
  }
  throw new ZipError("no directory");
}

/** Windows in Chinese writes GBK names without saying so; everyone else UTF-8. */
function decodeName(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}

async function unpack(archive, { path, method, packed, header }) {
  const local = await viewOf(archive.slice(header, header + 30));
  const start = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const content = archive.slice(start, start + packed);
  const name = path.split("/").at(-1);
  if (method === STORED) return new File([content], name);
  if (method !== DEFLATED) throw new ZipError(`compression method ${method}`);
  const inflated = content.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new File([await new Response(inflated).blob()], name);
}
