// The plain ways of adding an update to quantised weights, and what of it arrives.
import { native } from './matrices.mjs';

/** `wanted` at the nearest codes of the grids that `bytes` has. */
export function nearestCodes(type, bytes, wanted) {
  const filled = (byte) => {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length; at += type.bytes) all.fill(byte, at + type.from, at + type.to);
    return native._engineDequantize(type.id, all, wanted.length);
  };
  if (type.highest === 'table') {
    const nearest = filled(0);
    for (let code = 1; code < 16; ++code) {
      const level = filled(code * 17);
      for (let k = 0; k < wanted.length; ++k) {
        if (Math.abs(level[k] - wanted[k]) < Math.abs(nearest[k] - wanted[k])) nearest[k] = level[k];
      }
    }
    return nearest;
  }
  const highest = Number(type.highest);
  const lowest = type.name === 'Q8_0' ? -127 : 0;
  const nearest = filled(0);
  const top = filled(type.name === 'Q8_0' ? 127 : 255);
  for (let k = 0; k < wanted.length; ++k) {
    const step = (top[k] - nearest[k]) / highest;
    const code = step === 0 ? 0 : Math.max(lowest, Math.min(highest, Math.round((wanted[k] - nearest[k]) / step)));
    nearest[k] += step * code;
  }
  return nearest;
}

/** The share of left rightᵀ that is in after - before, and the noise beside it in units of it. */
export function arrived(before, after, left, right) {
  const nIn = right.length;
  let [product, change, request] = [0, 0, 0];
  for (let i = 0; i < left.length; ++i) {
    for (let j = 0, k = i * nIn; j < nIn; ++j, ++k) {
      const wanted = left[i] * right[j];
      const got = after[k] - before[k];
      product += wanted * got;
      change += got * got;
      request += wanted * wanted;
    }
  }
  return { gain: product / request, collateral: Math.sqrt((change - 2 * product + request) / request) };
}
