/** Plans an upload: the server tells which files are photos and which place they show, before they are sent. */

import { changeJson, upload } from "../page/api.js";

/**
 * Request the plan by file names, before any photo is sent.
 * @param {Source[]} sources see sources.js
 * @param {"auto"|"folder"|"photo"} grouping which photos show the same place, if no manifest says it
 * @returns {Promise<{grouping: string, photos: object[], places: object[], manifests: object[], recordings: number,
 *   skipped: number, queries: number, missing: string[], notes: object[]}>} `photos` with `path`, `size`, `load` and
 *   `place`; `manifests` with `name`, `size` and `load`, which includes the recordings that they name
 */
export async function planUpload(sources, grouping) {
  const question = {
    grouping,
    sources: sources.map(({ name, paths = [], directory, photos }) => ({
      name: name.slice(0, 1000),
      paths,
      photos,
      ...(directory && { directory: base64(directory) }),
    })),
    manifests: [],
  };
  const manifests = [];
  let reply = await changeJson("POST", "index/plan", question);
  if (reply.manifests_needed.length > 0) {
    for (const [source, file] of reply.manifests_needed) {
      const manifest = await sources[source].files[file].load(reply.files[source][file].path);
      const data = base64(new Uint8Array(await manifest.arrayBuffer()));
      question.manifests.push({ source, file, data });
      manifests.push({ source, path: reply.files[source][file].path, file: manifest });
    }
    reply = await changeJson("POST", "index/plan", question);
  }
  return { ...reply, ...sorted(sources, reply, manifests) };
}

function sorted(sources, { files, places }, manifests) {
  const found = { photos: [], manifests: [], recordings: 0, skipped: 0, queries: 0 };
  for (const [source, plans] of files.entries()) {
    const recordings = [];
    for (const [number, { path, kind, place }] of plans.entries()) {
      const { size, load } = sources[source].files[number];
      if (kind === "photo") {
        found.photos.push({ path, size, load: () => load(path), place: place === null ? {} : places[place] });
      } else if (kind === "recording") recordings.push({ path, size, load });
      else if (kind === "query") found.queries += 1;
      else if (["other", "unlisted"].includes(kind) && !path.endsWith("/")) found.skipped += 1;
    }
    const own = manifests.filter((manifest) => manifest.source === source);
    if (own.length > 0) found.manifests.push(together(own, recordings));
    found.recordings += recordings.length;
  }
  return found;
}

/** The manifests of one source and the recordings that they name, which are sent together. */
const together = (manifests, recordings) => ({
  name: manifests.map(({ file }) => file.name).join(" · "),
  size: [...manifests.map(({ file }) => file), ...recordings].reduce((sum, { size }) => sum + size, 0),
  async load(collection) {
    const parts = [];
    for (const { path, load } of recordings) {
      const file = await load(path).catch(() => null); // the server names what is missing, with its row
      if (file) parts.push([file, path]);
    }
    const { toBeSent } = await import("./known.js");
    return [...manifests.map(({ file, path }) => [file, path]), ...(await toBeSent(collection, parts))];
  },
});

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/**
 * Add photos of one place, a ZIP, or manifests with their recordings.
 * @param {(File|[File, string])[]} files with the path by which a manifest names them
 * @returns {Promise<object>} AddReply, one result per file, in order
 */
export function addImages(files, { collection, place, grouping }, options) {
  const { id, name, description, metadata, latitude, longitude } = place;
  const fields = files.map((file) => ["file", ...(Array.isArray(file) ? file : [file, file.name])]);
  fields.push(["collection", collection]);
  if (id) fields.push(["place_id", id]);
  if (name) fields.push(["place_name", name]);
  if (description) fields.push(["description", description]);
  if (metadata && Object.keys(metadata).length > 0) fields.push(["metadata", JSON.stringify(metadata)]);
  if (typeof latitude === "number") fields.push(["latitude", String(latitude)]);
  if (typeof longitude === "number") fields.push(["longitude", String(longitude)]);
  if (grouping) fields.push(["grouping", grouping]);
  return upload("index/images", fields, options);
}
