import { randomBytes, tensorBytes, tinyGguf, type TypeName } from './tiny-gguf';

/** Bytes of a tensor of any type whose values are finite and of one order of magnitude. */
export function randomBlocks(type: TypeName, weights: number, seed: number): Buffer {
  const shape = [weights, 1];
  const file = tinyGguf({ seed, tensors: [{ name: 'w', type, shape }] });
  const begin = file.place('data:w');
  const blocks = Buffer.from(file.bytes.subarray(begin, begin + tensorBytes(type, shape)));
  const random = randomBytes(seed + 1);
  const setBytes = (blockBytes: number, places: number[], value: (byte: number, place: number) => number) => {
    for (let at = 0; at < blocks.length; at += blockBytes) {
      for (const place of places) blocks[at + place] = value(blocks[at + place]!, place);
    }
  };
  if (type === 'MXFP4') setBytes(17, [0], () => 117 + (random() & 3)); // a power of two
  if (type === 'NVFP4') setBytes(36, [0, 1, 2, 3], () => 32 + (random() & 31)); // E4M3
  // The upper quarters of four scales of 16 bits make a half-precision number; its own upper bits come last.
  if (type === 'IQ1_M') setBytes(56, [53, 55], (byte, place) => (byte & 15) | (place === 55 ? 0x10 : 0xc0));
  return blocks;
}
