/** Small geometry on lists of [x, y]. */

/** Corners of the convex hull, in order (Andrew's monotone chain). */
export function hull(points) {
  const sorted = [...points].sort(([ax, ay], [bx, by]) => ax - bx || ay - by);
  if (sorted.length < 3) return sorted;
  const turn = ([ox, oy], [ax, ay], [bx, by]) => (ax - ox) * (by - oy) - (ay - oy) * (bx - ox);
  const half = (ordered) => {
    const chain = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/**
 * Indices of at most `count` points that lie far apart: each next one is the farthest from those taken.
 * A plain prefix would crowd where the detector was strongest.
 */
export function spread(points, count) {
  if (points.length === 0) return [];
  const taken = [0];
  const distance = points.map((point) => squared(point, points[0]));
  while (taken.length < Math.min(count, points.length)) {
    const next = distance.indexOf(Math.max(...distance));
    taken.push(next);
    points.forEach((point, each) => (distance[each] = Math.min(distance[each], squared(point, points[next]))));
  }
  return taken;
}

function squared([ax, ay], [bx, by]) {
  return (ax - bx) ** 2 + (ay - by) ** 2;
}
