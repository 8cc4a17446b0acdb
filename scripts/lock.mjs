// A lock among processes that share a folder: one holder at a time, and the next takes over from one that was killed.
// The lock is a folder with one file, named after its holder. A rename makes it, so that it never exists without a
// holder, and a rename of that very file takes it over, so that of several waiters one succeeds.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Waits for the lock. The holder touches its file every `beat` milliseconds, from a thread of its own because a build
 * blocks this one. It counts as dead when its process is gone from this machine, or after `patience` milliseconds
 * without a touch: another process may have its id by now.
 *
 * @returns {Promise<() => void>} Gives the lock back.
 */
export async function lock(folder, { beat = 1000, patience = 20_000, onWait = () => {} } = {}) {
  const own = `${hostname()}.${process.pid}.${randomUUID()}`;
  const prepared = `${folder}.${own}`;
  mkdirSync(prepared, { recursive: true });
  writeFileSync(join(prepared, own), '');
  try {
    let seen = { name: '', touched: 0 };
    let since = 0;
    for (let waits = 0; !take(prepared, folder); ++waits) {
      const holder = look(folder);
      if (holder && (holder.name !== seen.name || holder.touched !== seen.touched)) {
        seen = holder;
        since = performance.now();
      }
      const dead = holder && (isGone(holder.name) || performance.now() - since > patience);
      if (dead && takeOver(folder, holder.name, own)) break;
      if (waits === 0 && !dead) onWait();
      await new Promise((resolve) => setTimeout(resolve, Math.min(250, beat)));
    }
  } finally {
    rmSync(prepared, { recursive: true, force: true });
  }
  const touch = `const { utimesSync } = require('node:fs'); const { workerData } = require('node:worker_threads');
    setInterval(() => { try { utimesSync(workerData.file, new Date(), new Date()); } catch {} }, workerData.beat);`;
  const heart = new Worker(touch, { eval: true, execArgv: [], workerData: { file: join(folder, own), beat } });
  heart.on('error', () => {}); // the work goes on; only the lock could be taken for dead
  heart.unref();
  return () => {
    void heart.terminate();
    rmSync(join(folder, own), { force: true });
    try {
      rmdirSync(folder);
    } catch {
      // The next holder has it already.
    }
  };
}

/** A folder takes the place of none or of an empty one, and of no other. */
function take(prepared, folder) {
  try {
    renameSync(prepared, folder);
    return true;
  } catch (error) {
    // Windows says EPERM, and says it of an empty folder too.
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(error.code)) throw error;
    try {
      rmdirSync(folder);
    } catch (reason) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EPERM', 'EACCES', 'EBUSY'].includes(reason.code)) throw reason;
    }
    return false;
  }
}

function look(folder) {
  try {
    const [name] = readdirSync(folder);
    return name === undefined ? null : { name, touched: statSync(join(folder, name)).mtimeMs };
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return null;
  }
}

function isGone(name) {
  const [id] = name.split('.').slice(-2);
  if (!name.startsWith(`${hostname()}.`) || !/^\d+$/.test(id)) return false;
  try {
    process.kill(Number(id), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function takeOver(folder, holder, own) {
  try {
    renameSync(join(folder, holder), join(folder, own));
    return true;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return false;
  }
}
