/** The address after `#`: #/match?collection=x, #/collections/x/places/y. */

/** @returns {{segments: string[], query: URLSearchParams}} decoded parts of the current hash */
export function currentRoute() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const segments = path.split("/").filter(Boolean).map(decode);
  return { segments, query: new URLSearchParams(query) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a typed address with a stray %
  }
}

/** The hash of a page; segments may hold any characters. */
export function address(...segments) {
  return "#/" + segments.map(encodeURIComponent).join("/");
}

/** The hash of the visitor's page: the camera, or with "answer" the answer; with the collection if it is known. */
export function matchAddress(collection, ...page) {
  return address("match", ...page) + (collection ? `?collection=${encodeURIComponent(collection)}` : "");
}
