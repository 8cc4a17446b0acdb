// The update of one tensor of each type on one thread, beside a copy of as many bytes.
import { alternating, table } from './measure.mjs';
import { types } from '../low-bit/matrices.mjs';

/** Of tensors that are added to, and of those whose codes are flipped. */
export const aims = { shareOfCopy: 0.6, nanoseconds: 2 };

const size = 2048;
const copied = 2 ** 26; // bytes: beyond the caches

/** @param native - The addon. */
export async function kernels({ native, seededRandom }, repeats, change) {
  const random = seededRandom(1, 'bench');
  const bell = () => random() + random() + random() - 1.5;
  const floats = (n, scale) => Float32Array.from({ length: n }, () => bell() * scale);
  const weights = floats(size * size, 0.03);
  const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const [left, right] = [floats(size, 1), floats(size, 1)];
  const scale = (change * norm(weights)) / norm(left) / norm(right);
  left.forEach((value, i) => (left[i] = value * scale));

  const [from, to] = [new Uint8Array(copied).fill(1), new Uint8Array(copied)];
  const copy = () => ({ nanoseconds: processorTime(() => to.set(from)) / copied });
  const rows = [];
  const missed = [];
  for (const { name, id } of [{ name: 'F32', id: 0 }, { name: 'F16', id: 1 }, { name: 'BF16', id: 30 }, ...types]) {
    const bytes = native._quantize(id, weights, size, size);
    const target = new Uint8Array(bytes.length); // once: new memory costs as much as some of the kernels
    let mode;
    const update = () => {
      const nanoseconds = processorTime(() => {
        mode = native._addRankOne(id, bytes, size, size, left, right, 1, target).realised.mode;
      });
      return { nanoseconds: nanoseconds / size ** 2 };
    };
    const [ours, plain] = await alternating([update, copy], repeats);
    const perWeight = bytes.length / size ** 2;
    const share = (plain.nanoseconds * perWeight) / ours.nanoseconds;
    const cells = [ours.nanoseconds.toFixed(2), ((2 * perWeight) / ours.nanoseconds).toFixed(2)];
    rows.push([name, mode, ...cells, `${(100 * share).toFixed(1)} %`]);
    const asked = { add: share >= aims.shareOfCopy, 'code-flips': ours.nanoseconds <= aims.nanoseconds, refit: true };
    if (!asked[mode]) missed.push(name);
  }
  return [
    ...table(['type', 'mode', 'ns a weight', 'GB/s read and written', 'share of a copy'], rows),
    '',
    missed.length === 0 ? 'All within the aims.' : `Short of the aims: ${missed.join(', ')}.`,
  ];
}

/** Nanoseconds of processor time: on a shared machine wall time is others' too. */
function processorTime(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}
