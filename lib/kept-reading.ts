import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import type { Rows } from './capture';
import type { FloatTensor } from './outputs/gguf-bytes';
import { floatBytes } from './outputs/little-endian';
import { readSafetensors, safetensorsBytes } from './outputs/safetensors';
import { writeWhole } from './outputs/whole-file';
import { roles } from './prompts';
import type { Push } from './push';
import type { Reading } from './reading';
import { sha256 } from './result-store';

/** Bytes of one reading that is kept, and of all. */
interface Bounds {
  one: number;
  all: number;
}
const bounded: Bounds = { one: 2 ** 29, all: 2 ** 31 };
const ending = '.safetensors';

// What a killed process has left unfinished is older.
const abandoned = 24 * 3600 * 1000;

/**
 * A reading, kept on disk: streams and factors, never the writers' inputs: 4 bytes for each prompt, block and channel of the
 * stream, and as many for each input of the writers. The oldest make room for new ones; one above 512 MiB is not kept, nor is
 * any where that fails: it costs another reading, no more.
 *
 * @param identity - Everything that decides what is read.
 * @throws What `read` throws.
 */
export async function keptReading(
  cache: string,
  identity: string,
  read: () => Promise<Reading>,
  bounds = bounded,
): Promise<Reading> {
  const folder = join(cache, 'readings');
  const path = join(folder, `${sha256(identity)}${ending}`);
  const known = load(path, identity);
  if (known !== null) return known;
  const reading = await read();
  const { tensors, rest } = taken(reading);
  const file = safetensorsBytes(tensors, {
    identity,
    rest: JSON.stringify(rest),
    sha256: hashOf(tensors.map(({ data }) => data)),
  });
  const size = file.reduce((bytes, part) => bytes + part.length, 0);
  if (size > bounds.one) return reading;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    makeRoom(folder, bounds.all - size);
    await writeWhole(path, file, { overwrite: true });
  } catch {
    // The cache is a folder that others fill, and clean, too.
  }
  return reading;
}

/** What is no file of this identity, whole and in order, is not there. */
function load(path: string, identity: string): Reading | null {
  try {
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    if (metadata.identity !== identity || metadata.sha256 !== hashOf(tensors.values())) return null;
    const reading = given(JSON.parse(metadata.rest!) as Rest, tensors);
    markUsed(path);
    return reading;
  } catch {
    return null;
  }
}

function markUsed(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // A cache that can be read only.
  }
}

function hashOf(values: Iterable<Float32Array>): string {
  const hash = createHash('sha256');
  for (const data of values) hash.update(floatBytes(data));
  return hash.digest('hex');
}

/** A reading without its numbers. */
type Rest = Pick<Reading, 'chosen'> & {
  nLayer: number;
  dModel: number;
  pushes: (Omit<Push, 'right' | 'gains' | 'expertScale' | 'inputs'> & { responseRms: number | null })[];
};

function taken({ pushes, streams: { nLayer, dModel, streams }, chosen }: Reading): {
  tensors: FloatTensor[];
  rest: Rest;
} {
  const vector = (name: string, data: Float32Array): FloatTensor => ({ name, shape: [data.length], data });
  const tensors = roles.map((role): FloatTensor => {
    const { count, width, data } = streams[role];
    return { name: `streams.${role}`, shape: [count, width], data };
  });
  const described = pushes.map(({ right, gains, expertScale, inputs, ...others }, i) => {
    tensors.push(vector(`${i}.right`, right));
    if (gains !== null) tensors.push(vector(`${i}.gains`, gains));
    if (expertScale !== null) tensors.push(vector(`${i}.expertScale`, expertScale));
    if (inputs !== null) tensors.push(vector(`${i}.meanSquares`, inputs.meanSquares));
    return { ...others, responseRms: inputs?.responseRms ?? null };
  });
  return { tensors, rest: { chosen, nLayer, dModel, pushes: described } };
}

function given({ chosen, nLayer, dModel, pushes }: Rest, tensors: ReadonlyMap<string, Float32Array>): Reading {
  const needed = (name: string): Float32Array => {
    const data = tensors.get(name);
    if (data === undefined) throw new Error(`no ${name}`);
    return data;
  };
  const width = nLayer * dModel;
  const rows = (data: Float32Array): Rows => ({ count: data.length / width, width, data });
  return {
    chosen,
    streams: {
      nLayer,
      dModel,
      streams: {
        harmful: rows(needed('streams.harmful')),
        harmless: rows(needed('streams.harmless')),
        borderline: rows(needed('streams.borderline')),
      },
    },
    pushes: pushes.map(({ responseRms, ...others }, i) => ({
      ...others,
      right: needed(`${i}.right`),
      gains: tensors.get(`${i}.gains`) ?? null,
      expertScale: tensors.get(`${i}.expertScale`) ?? null,
      inputs: inputsOf(tensors.get(`${i}.meanSquares`), responseRms),
    })),
  };
}

/** JSON has no NaN. */
function inputsOf(meanSquares: Float32Array | undefined, responseRms: number | null): Push['inputs'] {
  return meanSquares === undefined ? null : { meanSquares, responseRms: responseRms ?? NaN };
}

/** Removes what was used longest ago until the rest is within bounds, and what a process that ended has left. */
function makeRoom(folder: string, most: number): void {
  const files = readdirSync(folder)
    .flatMap((name) => {
      const path = join(folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? [] : [{ path, bytes: found.size, used: found.mtimeMs }];
    })
    .sort((a, b) => b.used - a.used);
  let sum = 0;
  for (const { path, bytes, used } of files) {
    const isWhole = path.endsWith(ending);
    if (isWhole) sum += bytes;
    if (isWhole ? sum > most : Date.now() - used > abandoned) rmSync(path, { force: true });
  }
}
