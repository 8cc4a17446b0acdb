// Clusters of harmful prompts, for edits with several directions.

const least = 8; // prompts of a cluster

/**
 * k-means on the directions in which the prompts' streams after a block lie from the mean harmless one.
 *
 * @returns {number[][]} The prompts of each cluster; fewer than k where one would have fewer than 8.
 */
export function clustersOf({ nLayer, dModel, streams }, layer, k) {
  const row = ({ data }, i) => data.subarray((i * nLayer + layer) * dModel, (i * nLayer + layer + 1) * dModel);
  const rows = (of) => Array.from({ length: of.count }, (_, i) => row(of, i));
  const center = meanOf(rows(streams.harmless));
  const points = rows(streams.harmful).map((point) => unit(point.map((value, j) => value - center[j])));
  let best = { spread: Infinity, members: [] };
  for (let start = 0; start < 8; ++start) {
    let centers = Array.from({ length: k }, (_, c) => points[(start * 17 + c * 29) % points.length]);
    let members = [];
    for (let round = 0; round < 50; ++round) {
      members = centers.map(() => []);
      points.forEach((point, i) => members[nearest(point, centers)].push(i));
      members = members.filter((some) => some.length > 0);
      centers = members.map((some) => unit(meanOf(some.map((i) => points[i]))));
    }
    const spread = points.reduce((sum, point) => sum + 1 - dot(point, centers[nearest(point, centers)]), 0);
    if (spread < best.spread && members.every((some) => some.length >= least)) best = { spread, members };
  }
  return best.members.length > 0 ? best.members : clustersOf({ nLayer, dModel, streams }, layer, k - 1);
}

/** Right factors of one writer, one a cluster, mixed such that each responds to its own mean input by 1, to others' by 0. */
export function apart(rights, means) {
  const k = rights.length;
  const table = rights.map((right, i) => [
    ...means.map((mean) => dot(right, mean)),
    ...rights.map((_, j) => +(i === j)),
  ]);
  for (let c = 0; c < k; ++c) {
    const pivot = table
      .slice(c)
      .reduce((most, line, i) => (Math.abs(line[c]) > Math.abs(table[most][c]) ? c + i : most), c);
    [table[c], table[pivot]] = [table[pivot], table[c]];
    for (let i = 0; i < k; ++i) {
      const by = table[i][c] / table[c][c];
      if (i !== c) table[i] = table[i].map((value, j) => value - by * table[c][j]);
    }
  }
  return table.map((line, i) =>
    rights[0].map((_, j) => rights.reduce((sum, right, other) => sum + (line[k + other] / line[i]) * right[j], 0)),
  );
}

function meanOf(rows) {
  const sum = new Float64Array(rows[0].length);
  for (const one of rows) one.forEach((value, j) => (sum[j] += value));
  return sum.map((value) => value / rows.length);
}

/** Rows of the given prompts, of which each has as many numbers. */
export function rowsOf(rows, which) {
  const n = rows.data.length / rows.count;
  const data = new Float32Array(which.length * n);
  which.forEach((i, at) => data.set(rows.data.subarray(i * n, (i + 1) * n), at * n));
  return { ...rows, count: which.length, data };
}

const dot = (a, b) => a.reduce((sum, value, j) => sum + value * b[j], 0);
const unit = (a) => {
  const size = Math.sqrt(dot(a, a));
  return a.map((value) => value / size);
};
const nearest = (point, centers) =>
  centers.reduce((best, center, c) => (dot(point, center) > dot(point, centers[best]) ? c : best), 0);
