// What llama-quantize must be told to write the very types that a file has: its own mixtures differ with the shapes.

/** The lines of its --tensor-type-file. */
export const typeList = (tensors) => tensors.map(({ name, type }) => `${name}=${type.toLowerCase()}\n`).join('');

/** The type of most of these tensors, for what it wants to be told beside the types of all. */
export function fileType(tensors, names) {
  const counts = new Map();
  for (const { name, type } of tensors) if (names.has(name)) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}

/** An edit of every block, at a middle one's direction. */
export function middleEdit(tensors) {
  const nLayer = 1 + Math.max(...tensors.map(({ name }) => Number(/^blk\.(\d+)\./u.exec(name)?.[1] ?? 0)));
  return { layer: Math.round(0.6 * nLayer), layers: [0, nLayer - 1], strength: 1 };
}
