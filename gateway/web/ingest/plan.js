/** Plans an upload: the server tells which files are photos and which place they show, before they are sent. */

import { changeJson, upload } from "../page/api.js";

/**
 * Request the plan by file names, before any photo is sent.
 * @param {Source[]} sources see sources.js
 * @param {"auto"|"folder"|"photo"} grouping which photos show the same place, if no manifest says it
 * @returns {Promise<{grouping: string, photos: object[], places: object[], manifests: File[], skipped: number,
 *   queries: number, missing: string[], notes: object[]}>} `photos` with `path`, `size`, `load` and `place`
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
      manifests.push(manifest);
    }
    reply = await changeJson("POST", "index/plan", question);
  }
  return { ...reply, ...sorted(sources, reply), manifests };
}

function sorted(sources, { files, places }) {
  const found = { photos: [], skipped: 0, queries: 0 };
  for (const [source, plans] of files.entries()) {
    for (const [number, { path, kind, place }] of plans.entries()) {
      const { size, load } = sources[source].files[number];
      if (kind === "photo") {
        found.photos.push({ path, size, load: () => load(path), place: place === null ? {} : places[place] });
      } else if (kind === "query") found.queries += 1;
      else if (["other", "unlisted"].includes(kind) && !path.endsWith("/")) found.skipped += 1;
    }
  }
  return found;
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** Add photos of one place, or a ZIP. @returns {Promise<object>} AddReply, one result per file, in order */
export function addImages(files, { collection, place, grouping }, options) {
  const { id, name, description, metadata, latitude, longitude } = place;
  const fields = files.map((file) => ["file", file, file.name]);
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
