// A plan file may come from anyone: everything that is used of it is checked here, and nothing else is kept.
import { RosiError } from '../errors';
import type { AdapterWay, InputStatistics, PlannedTensor } from '../native';
import { rightFactors, schedules } from '../options';
import type { UpdatePlan } from '../plan';
import { checkFactors } from './checked-factors';
import { bytesToFloats } from './little-endian';
import { planFormat, type SavedPlan } from './saved-plan';

// Far above any model's, and low enough that a product of three sizes is exact.
const most = { tensors: 2 ** 16, size: 2 ** 20, experts: 2 ** 12, blocks: 10_000 };

/** A value of the file, with its place for messages. */
class Field {
  constructor(
    private readonly path: string,
    private readonly place: string,
    private readonly value: unknown,
  ) {}

  get isMissing(): boolean {
    return this.value === undefined;
  }
  get isNull(): boolean {
    return this.value === null;
  }
  refuse(expected: string): RosiError {
    const found = describe(this.value);
    const where = this.place === '' ? 'the file' : this.place;
    return new RosiError('PLAN_INVALID', `${this.path}: ${where} must be ${expected}; found ${found}`, {
      path: this.path,
      where: this.place,
      expected,
      found,
    });
  }
  get(name: string): Field {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.refuse('an object');
    const inner = (value as Record<string, unknown>)[name];
    return new Field(this.path, this.place === '' ? name : `${this.place}.${name}`, inner);
  }
  list(expected: string, fewest: number, longest: number): Field[] {
    const { value } = this;
    if (!Array.isArray(value) || value.length < fewest || value.length > longest) throw this.refuse(expected);
    return value.map((item, i) => new Field(this.path, `${this.place}[${i}]`, item));
  }
  number(expected: string, low: number, high: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !(value >= low && value <= high)) throw this.refuse(expected);
    return value;
  }
  whole(low: number, high: number): number {
    const value = this.number(`a whole number, ${low} to ${high}`, low, high);
    if (!Number.isInteger(value)) throw this.refuse(`a whole number, ${low} to ${high}`);
    return value;
  }
  text(expected: string, pattern: RegExp): string {
    const { value } = this;
    if (typeof value !== 'string' || !pattern.test(value)) throw this.refuse(expected);
    return value;
  }
  oneOf<T extends string | number | boolean>(allowed: readonly T[]): T {
    const found = allowed.find((value) => value === this.value);
    if (found === undefined) throw this.refuse(`one of ${allowed.join(', ')}`);
    return found;
  }
  textOrNull(): string | null {
    const { value } = this;
    if (value !== null && typeof value !== 'string') throw this.refuse('a text or null');
    return value;
  }
  /** `count`: how many values, when it is known. */
  floats(count?: number): Float32Array {
    const { value } = this;
    const expected = `base64 of ${count ?? '1 or more'} float32 values`;
    if (typeof value !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/u.test(value)) throw this.refuse(expected);
    const bytes = Buffer.from(value, 'base64');
    const fits = count === undefined ? bytes.length > 0 && bytes.length % 4 === 0 : bytes.length === 4 * count;
    if (!fits || bytes.toString('base64').length !== value.length) throw this.refuse(expected);
    const floats = bytesToFloats(bytes);
    if (!floats.every(Number.isFinite)) throw this.refuse(`${expected}, all of them finite`);
    return floats;
  }
}

/** @throws RosiError `PLAN_INVALID` */
export function parsePlan(path: string, content: unknown): SavedPlan {
  const root = new Field(path, '', content);
  root.get('format').oneOf([planFormat.format]);
  root.get('version').oneOf([planFormat.version]);
  const tensors = root
    .get('tensors')
    .list(`a list of 1 to ${most.tensors} tensors`, 1, most.tensors)
    .map((tensor) => parseTensor(tensor));
  try {
    checkFactors(tensors);
  } catch (error) {
    if (error instanceof RosiError)
      throw new RosiError('PLAN_INVALID', `${path}: ${error.message}`, { path, ...error.details });
    throw error;
  }
  const edit = parseEdit(root.get('edit'));
  const direction = root.get('direction');
  const source = root.get('source');
  const settings = root.get('settings');
  return {
    plan: { edit, tensors },
    provenance: {
      rosi: root.get('rosi').text('a version', /^[\w.+-]{1,64}$/u),
      source: {
        sha256: sha256(source.get('sha256')),
        architecture: source.get('architecture').text('the name of an architecture', /^[\w.-]{1,64}$/u),
      },
      direction: {
        layer: direction.get('layer').whole(0, most.blocks),
        vector: direction.get('vector').floats(),
        distance: direction.get('distance').number('a number, 0 or more', 0, Number.MAX_VALUE),
        auroc: direction.get('auroc').number('a number, 0 to 1', 0, 1),
      },
      prompts: parsePrompts(root.get('prompts')),
      settings: {
        seed: settings.get('seed').whole(0, 2 ** 32 - 1),
        rho: settings.get('rho').number('a number above 0', Number.MIN_VALUE, Number.MAX_VALUE),
        maxKl: settings.get('maxKl').number('a number, 0 or more', 0, Number.MAX_VALUE),
        system: settings.get('system').textOrNull(),
        thinking: settings.get('thinking').oneOf([true, false]),
      },
    },
  };
}

function parsePrompts(prompts: Field): SavedPlan['provenance']['prompts'] {
  const kept = prompts.get('keptSha256');
  return { sha256: sha256(prompts.get('sha256')), ...(!kept.isMissing && { keptSha256: sha256(kept) }) };
}

function parseTensor(tensor: Field): PlannedTensor {
  const name = tensor.get('name').text('the name of a tensor, 1 to 64 characters', /^[\w./-]{1,64}$/u);
  const shape = tensor.get('shape').list('[nIn, nOut] or [nIn, nOut, nExperts]', 2, 3);
  const [nIn = 0, nOut = 0, nExperts = 1] = shape.map((size, i) => size.whole(1, i < 2 ? most.size : most.experts));
  const left = tensor.get('left').floats(nOut * nExperts);
  const right = tensor.get('right').floats(nIn * nExperts);
  const inputs = tensor.get('inputs');
  const share = tensor.get('share');
  const readout = tensor.get('readout');
  const adapter = tensor.get('adapter');
  return {
    name,
    left,
    right,
    ...(shape.length > 2 ? { nExperts } : {}),
    ...(inputs.isMissing ? {} : { inputs: parseInputs(inputs, nIn, nExperts) }),
    ...(share.isMissing ? {} : { share: share.number('a number, 0 to 1', 0, 1) }),
    ...(readout.isMissing ? {} : { readout: readout.floats(nOut) }),
    ...(adapter.isMissing ? {} : { adapter: adapter.isNull ? null : parseAdapter(adapter, nExperts) }),
  };
}

function parseInputs(inputs: Field, nIn: number, nExperts: number): InputStatistics {
  const field = inputs.get('meanSquares');
  const meanSquares = field.floats(nIn * nExperts);
  if (meanSquares.some((value) => value < 0)) throw field.refuse('base64 of mean squares, none of them negative');
  const responseRms = inputs.get('responseRms').number('a number above 0', Number.MIN_VALUE, Number.MAX_VALUE);
  return { meanSquares, responseRms };
}

function parseAdapter(adapter: Field, nExperts: number): AdapterWay {
  const ratio = adapter.get('ratio').number('a finite number', -Number.MAX_VALUE, Number.MAX_VALUE);
  const expertScale = adapter.get('expertScale');
  return { ratio, expertScale: expertScale.isNull ? null : expertScale.floats(nExperts) };
}

function parseEdit(edit: Field): UpdatePlan['edit'] {
  const layers = edit.get('layers');
  const [from = 0, to = 0] = layers.list('[first, last]', 2, 2).map((layer) => layer.whole(0, most.blocks));
  if (from > to) throw layers.refuse('[first, last]');
  // In harden's order: the text of the edit is in the file that it makes.
  return {
    layer: edit.get('layer').whole(0, most.blocks),
    schedule: edit.get('schedule').oneOf(schedules),
    layers: [from, to],
    strength: edit.get('strength').number('a number, 0 or more', 0, Number.MAX_VALUE),
    rightFactor: edit.get('rightFactor').oneOf(rightFactors),
  };
}

function sha256(field: Field): string {
  return field.text('64 hexadecimal digits', /^[0-9a-f]{64}$/u);
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return value.length > 40 ? `a text of ${value.length} characters` : `"${value}"`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}
