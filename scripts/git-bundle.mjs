// Reads files out of a git bundle without git, so that a machine with Node, CMake and a C++ compiler is enough to build.
// Every object read is checked against its SHA-1, from the commit down, so a damaged bundle can't go unnoticed.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

const KINDS = { 1: 'commit', 2: 'tree', 3: 'blob', 4: 'tag' };
const OFFSET_DELTA = 6;
const NAME_DELTA = 7;
const EXECUTABLE = 0o100755;
const REGULAR = 0o100644;

/**
 * Every regular file below a commit.
 *
 * @param {string} path - A version 2 or 3 bundle that holds the whole history of `commit`.
 * @param {string} commit - 40 hex digits.
 * @param {(path: string) => boolean} wanted - Which files to return; paths use '/'.
 * @returns {Map<string, { bytes: Buffer, executable: boolean }>}
 */
export function readBundle(path, commit, wanted = () => true) {
  const bundle = readFileSync(path);
  const objects = readPack(bundle.subarray(packStart(bundle, path)));
  const read = (name, kind) => {
    const object = objects.get(name);
    if (object?.kind !== kind) throw new Error(`${path} has no ${kind} ${name}: it is damaged or of another version`);
    return object.bytes;
  };
  const files = new Map();
  const walk = (tree, folder) => {
    for (const { mode, name, object } of treeEntries(read(tree, 'tree'))) {
      const child = folder + name;
      if (mode === 0o40000) walk(object, `${child}/`);
      else if ((mode === REGULAR || mode === EXECUTABLE) && wanted(child)) {
        files.set(child, { bytes: read(object, 'blob'), executable: mode === EXECUTABLE });
      }
    }
  };
  const tree = /^tree ([0-9a-f]{40})\n/.exec(read(commit, 'commit').toString('latin1'));
  walk(tree[1], '');
  return files;
}

/** The header is text lines up to an empty line; the pack follows. */
function packStart(bundle, path) {
  const end = bundle.indexOf('\n\nPACK', 0, 'latin1');
  if (!/^# v[23] git bundle\n/.test(bundle.toString('latin1', 0, 20)) || end < 0) {
    throw new Error(`${path} is not a git bundle`);
  }
  return end + 2;
}

/** All objects of a pack by name. Git lets a delta precede its base only by name, so those wait for a second pass. */
function readPack(pack) {
  const count = pack.readUInt32BE(8);
  const byName = new Map();
  const byOffset = new Map();
  let waiting = [];
  const keep = (offset, kind, bytes) => {
    const object = { kind, bytes };
    byOffset.set(offset, object);
    byName.set(createHash('sha1').update(`${kind} ${bytes.length}\0`).update(bytes).digest('hex'), object);
  };
  let at = 12;
  for (let i = 0; i < count; i++) {
    const offset = at;
    const head = readHead(pack, at);
    at = head.next;
    let base;
    if (head.type === OFFSET_DELTA) {
      const distance = readDistance(pack, at);
      at = distance.next;
      base = offset - distance.value;
    } else if (head.type === NAME_DELTA) {
      base = pack.toString('hex', at, at + 20);
      at += 20;
    }
    const { buffer: bytes, engine } = inflateSync(pack.subarray(at), {
      info: true,
      chunkSize: Math.max(head.size, 64),
    });
    at += engine.bytesWritten; // zlib counts what it consumed; a pack does not say how long an object is
    if (base === undefined) keep(offset, KINDS[head.type], bytes);
    else waiting.push({ offset, base, delta: bytes });
  }
  while (waiting.length > 0) {
    const later = [];
    for (const item of waiting) {
      const base = typeof item.base === 'number' ? byOffset.get(item.base) : byName.get(item.base);
      if (base) keep(item.offset, base.kind, applyDelta(base.bytes, item.delta));
      else later.push(item);
    }
    if (later.length === waiting.length) throw new Error('the git bundle refers to objects that it does not hold');
    waiting = later;
  }
  return byName;
}

/** Three bits of type and a size: four bits, then seven a byte, lowest first. */
function readHead(pack, at) {
  let byte = pack[at++];
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 0x80; factor *= 128) {
    byte = pack[at++];
    size += (byte & 0x7f) * factor;
  }
  return { type, size, next: at };
}

/** Seven bits a byte, highest first; each continuation adds one, so that no number has two spellings. */
function readDistance(pack, at) {
  let byte = pack[at++];
  let value = byte & 0x7f;
  while (byte & 0x80) {
    byte = pack[at++];
    value = (value + 1) * 128 + (byte & 0x7f);
  }
  return { value, next: at };
}

function applyDelta(base, delta) {
  let at = 0;
  const size = () => {
    let value = 0;
    let byte;
    let factor = 1;
    do {
      byte = delta[at++];
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte & 0x80);
    return value;
  };
  size(); // of the base
  const result = Buffer.alloc(size());
  let filled = 0;
  while (at < delta.length) {
    const op = delta[at++];
    if (op & 0x80) {
      let offset = 0;
      let length = 0;
      for (let i = 0; i < 4; i++) if (op & (1 << i)) offset += delta[at++] * 256 ** i;
      for (let i = 0; i < 3; i++) if (op & (16 << i)) length += delta[at++] * 256 ** i;
      filled += base.copy(result, filled, offset, offset + (length || 0x10000));
    } else {
      filled += delta.copy(result, filled, at, at + op);
      at += op;
    }
  }
  return result;
}

function* treeEntries(tree) {
  for (let at = 0; at < tree.length;) {
    const space = tree.indexOf(0x20, at);
    const end = tree.indexOf(0, space);
    const mode = parseInt(tree.toString('latin1', at, space), 8);
    const name = tree.toString('utf8', space + 1, end);
    // A name is one path component; anything else could write outside the folder.
    if (name === '' || name === '.' || name === '..' || /[/\\]/.test(name)) throw new Error(`bad file name '${name}'`);
    yield { mode, name, object: tree.toString('hex', end + 1, end + 21) };
    at = end + 21;
  }
}
