import type { RosiError } from '../../errors';
import { invalid, isRecord, type Row } from '../../file-rows';

/** A record of a set of questions, whose fields are checked as they are read. */
export class QuestionRecord {
  private readonly fields: Record<string, unknown>;

  /** @param expected - What the set's records hold, for the message of one that does not. */
  constructor(
    private readonly row: Row,
    private readonly expected: readonly string[],
  ) {
    if (!isRecord(row.value)) throw this.fault('it is no record');
    this.fields = row.value;
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  text(name: string): string {
    const value = this.fields[name];
    if (typeof value !== 'string') throw this.fault(`${name} is no text`);
    return value;
  }

  /** A list of texts; `name` may lead into an object: `choices.text`. */
  texts(name: string): string[] {
    const list = this.list(name);
    if (list.length < 2 || !list.every((item) => typeof item === 'string')) {
      throw this.fault(`${name} is no list of two texts or more`);
    }
    return list as string[];
  }

  /** A list of 0 and 1, one at least of which is 1, as long as another. */
  marks(name: string, length: number): boolean[] {
    const marks = this.list(name).map((item) => toInteger(item));
    if (marks.length !== length || !marks.every((mark) => mark === 0 || mark === 1) || !marks.includes(1)) {
      throw this.fault(`${name} is no list of ${length} times 0 or 1 with a 1 in it`);
    }
    return marks.map((mark) => mark === 1);
  }

  /** 0 to `below` - 1; also spelled as a text, as in HellaSwag and tables. */
  index(name: string, below: number): number {
    const value = toInteger(this.fields[name]);
    if (value === undefined || value < 0 || value >= below) throw this.fault(`${name} is none of 0 to ${below - 1}`);
    return value;
  }

  truth(name: string): boolean {
    const value = this.fields[name];
    if (value === true || value === 'true' || value === 'True') return true;
    if (value === false || value === 'false' || value === 'False') return false;
    throw this.fault(`${name} is neither true nor false`);
  }

  fault(what: string): RosiError {
    const { value, place } = this.row;
    const found = isRecord(value) ? Object.keys(value) : [];
    const fields = found.length > 0 ? `the fields ${found.join(', ')}` : 'no fields';
    const message = `${what}; expected the fields ${this.expected.join(', ')}, found ${fields}`;
    return invalid(message, place, undefined, { expected: this.expected, found });
  }

  private list(name: string): unknown[] {
    let value: unknown = this.fields;
    for (const part of name.split('.')) value = isRecord(value) ? unfold(value[part]) : undefined;
    if (!Array.isArray(value)) throw this.fault(`${name} is no list`);
    return value;
  }
}

/** A list or an object that is spelled as JSON, as in a table. */
function unfold(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/u.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Of a number, of a bigint, as Parquet has them, or of a text. */
function toInteger(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/u.test(value) ? Number(value) : value;
  if (typeof number === 'bigint') return Number(number);
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined;
}
