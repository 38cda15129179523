/** Selects which of many points to draw. */

/**
 * Indices of at most `count` distant points, by farthest-point sampling.
 * The first points of the list would crowd where the detector is strongest.
 */
export function spread(points, count) {
  if (points.length === 0) return [];
  const taken = [0];
  const distance = points.map((point) => squared(point, points[0]));
  while (taken.length < Math.min(count, points.length)) {
    const next = distance.indexOf(Math.max(...distance));
    taken.push(next);
    points.forEach((point, index) => (distance[index] = Math.min(distance[index], squared(point, points[next]))));
  }
  return taken;
}

function squared([ax, ay], [bx, by]) {
  return (ax - bx) ** 2 + (ay - by) ** 2;
}
