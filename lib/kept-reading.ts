import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import type { Rows } from './capture';
import { toRosiError } from './errors';
import type { FloatTensor } from './outputs/gguf-bytes';
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
const bounded: Bounds = { one: 2 ** 28, all: 2 ** 30 };
const ending = '.safetensors';

/**
 * A reading, kept on disk: streams and factors, some tens of megabytes, never the writers' inputs. The oldest make room for
 * new ones; one that would be above 256 MiB, of a model of some 30 billion weights or more, is not kept.
 *
 * @param identity - Everything that decides what is read.
 * @throws What `read` throws, and RosiError `FILE_FAILED` where a reading can't be written.
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
  if (tensors.reduce((bytes, { data }) => bytes + data.byteLength, 0) > bounds.one) return reading;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw toRosiError(error);
  }
  await writeWhole(path, safetensorsBytes(tensors, { identity, rest: JSON.stringify(rest) }), { overwrite: true });
  makeRoom(folder, bounds.all);
  return reading;
}

/** What is no file of this identity, whole and in order, is not there. */
function load(path: string, identity: string): Reading | null {
  try {
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    if (metadata.identity !== identity) return null;
    const reading = given(JSON.parse(metadata.rest!) as Rest, tensors);
    const now = new Date();
    utimesSync(path, now, now);
    return reading;
  } catch {
    return null;
  }
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
      inputs: responseRms === null ? null : { meanSquares: needed(`${i}.meanSquares`), responseRms },
    })),
  };
}

/** Removes what was used longest ago until the rest is within bounds. What another run removes meanwhile is gone, too. */
function makeRoom(folder: string, most: number): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .flatMap((name) => {
      const path = join(folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? [] : [{ path, bytes: found.size, used: found.mtimeMs }];
    })
    .sort((a, b) => b.used - a.used);
  let sum = 0;
  for (const { path, bytes } of files) {
    sum += bytes;
    if (sum > most) rmSync(path, { force: true });
  }
}
