/**
 * Uniform numbers in [0, 1) that depend on the seed and the label alone. Streams with different labels are
 * unrelated, so that drawing more from one never shifts another. mulberry32, seeded by FNV-1a over the label.
 * Good enough to draw samples; no use for secrets.
 *
 * @param seed - Integer, 0 to 2^32 - 1.
 */
export function seededRandom(seed: number, label = ''): () => number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(`${seed >>> 0}/${label}`)) state = Math.imul(state ^ byte, 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A shuffled copy (Fisher-Yates). */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; --last) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}
