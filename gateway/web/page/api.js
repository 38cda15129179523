/** Requests to the gateway's public HTTP API, and those of the first screen. */

import { EventReader } from "./event_stream.js";
import { wishes } from "./language.js";

/** An error answer, or no answer (`code` "network"). */
export class ApiError extends Error {
  constructor({ code, message, accepted = null, field = null, status = 0, retryAfterS = null }) {
    super(message);
    Object.assign(this, { code, accepted, field, status, retryAfterS });
  }

  /** Whether the same request may succeed later. */
  get isTransient() {
    return this.code === "network" || [429, 502, 503, 504].includes(this.status);
  }

  /** Whether the request itself is invalid, so that it would fail again. */
  get isFinal() {
    return this.status >= 400 && this.status < 500 && ![401, 403, 408, 409, 429].includes(this.status);
  }

  /** Whether the same request may succeed with another key. */
  get needsKey() {
    return ["unauthorized", "forbidden"].includes(this.code);
  }
}

export function apiError(status, body, retryAfter) {
  const detail = body?.error ?? { code: "internal", message: `HTTP ${status}` };
  return new ApiError({ ...detail, status, retryAfterS: Number(retryAfter) || null });
}

export function networkError() {
  return new ApiError({ code: "network", message: "" });
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // for example a proxy's HTML page; the status is enough
  }
}

const EVENTS = "text/event-stream";
const LONGEST_PATIENCE_S = 10;
const MOST_ATTEMPTS = 4;

/** Send; after a rate limit with Retry-After, wait and send again. */
async function patient(send, signal) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      const isSoon = error.status === 429 && error.retryAfterS <= LONGEST_PATIENCE_S && error.retryAfterS !== null;
      if (!isSoon || attempt === MOST_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterS * 1000));
      signal?.throwIfAborted();
    }
  }
}

let askForKey = async () => false;
let asking = null;

/** The function that asks for a key when the server requires one: from the error to whether the person has signed in. */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

/** Send; if a key is required, ask for one and send again, until a key is accepted or the person cancels. */
async function keyed(send) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      // Requests that fail at the same time wait for the same dialog.
      asking ??= error.needsKey ? askForKey(error).finally(() => (asking = null)) : null;
      if (!error.needsKey || !(await asking)) throw error;
    }
  }
}

/** The answer's body, or the result of `options.read` for the answer, its body and its text. */
export const json = (path, options) => keyed(() => fetchJson(path, options));
export const upload = (path, fields, options) => keyed(() => patient(() => send(path, fields, options), options.signal));

/** As `json`, but never asks for a key. */
export const fetchJson = (path, options = {}) => patient(() => fetchOnce(path, options), options.signal);

async function fetchOnce(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...wishes(), ...options.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : networkError();
  }
  const text = await response.text();
  const body = parsed(text);
  if (!response.ok) throw apiError(response.status, body, response.headers.get("Retry-After"));
  return options.read ? options.read(response, body, text) : body;
}

/**
 * Multipart POST by XMLHttpRequest, because fetch does not report the upload's progress.
 * With `onevent` the answer may be a stream of events: all are passed to it, and the last one is the answer.
 */
function send(path, fields, { onprogress = () => {}, onevent, signal } = {}) {
  const form = new FormData();
  for (const [name, value, filename] of fields) {
    if (filename) form.append(name, value, filename);
    else form.append(name, value);
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const events = new EventReader(onevent);
    const isStream = () => request.getResponseHeader("Content-Type")?.startsWith(EVENTS);
    request.open("POST", path);
    for (const header of Object.entries(wishes())) request.setRequestHeader(...header);
    if (onevent) request.setRequestHeader("Accept", EVENTS);
    request.upload.onprogress = (event) => onprogress(event.loaded / event.total);
    request.upload.onload = () => onprogress(1);
    request.onprogress = () => isStream() && events.read(request.responseText);
    request.onload = () => {
      if (isStream()) return settle(events.read(request.responseText));
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300 && body) resolve(body);
      else reject(apiError(request.status, body, request.getResponseHeader("Retry-After")));
    };
    const settle = (last) => {
      if (last?.name === "result") resolve(last.data);
      else reject(last?.name === "error" ? apiError(0, last.data) : networkError()); // or the stream was interrupted
    };
    request.onerror = () => reject(networkError());
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

/** Send a change as JSON. */
export const changeJson = (method, path, change, { headers, ...options } = {}) =>
  json(path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(change),
    ...options,
  });

/** The path of a collection; slashes in its name are kept. */
export const collectionPath = (collection, what = "") =>
  `collections/${collection.split("/").map(encodeURIComponent).join("/")}${what}`;

export const placePath = (collection, placeId) => collectionPath(collection, `/places/${encodeURIComponent(placeId)}`);

/** A place in the words of the visitor's language, as the server has chosen them. */
export const asRead = (place) => place && { ...place, ...place.shown };

const asAllRead = ({ place, candidates, ...answer }) => ({
  ...answer,
  place: asRead(place),
  candidates: candidates.map((candidate) => ({ ...candidate, place: asRead(candidate.place) })),
});

/**
 * Match a photo, or several photos of one thing; `oncandidates` gets the candidates before the answer.
 * @returns {Promise<object>} MatchReply
 */
export function match(photos, { collection, language, topK = 5, oncandidates, ...options }) {
  const fields = [
    ...photos.map((photo) => ["file", photo, "photo.jpg"]),
    ["top_k", String(topK)],
    ["explain", "true"],
    ["language", language],
  ];
  if (collection) fields.push(["collection", collection]);
  const onevent = (name, data) => name === "candidates" && oncandidates(asAllRead(data));
  return upload("match", fields, { ...options, onevent }).then(asAllRead);
}

export const collections = () => json("index/collections").then((body) => body.collections);

/** How a collection presents its museum: BrandingBody. Never asks for a key. */
export const branding = (collection) => fetchJson(collectionPath(collection, "/branding"));

/** The caller's name and role: {name, role}. */
export const session = () => fetchJson("session");

export const signOut = () => fetchJson("session", { method: "DELETE" });
