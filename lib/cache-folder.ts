import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where this system's users keep what programs can make again: `$XDG_CACHE_HOME` or `~/.cache`, on macOS
 * `~/Library/Caches`, on Windows `%LOCALAPPDATA%`; in it a folder `rosi`.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  const home = homedir();
  const base = {
    darwin: join(home, 'Library', 'Caches'),
    win32: env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'),
  }[platform];
  // An empty or relative XDG_CACHE_HOME is to be ignored: XDG Base Directory Specification.
  const xdg = env.XDG_CACHE_HOME?.startsWith('/') ? env.XDG_CACHE_HOME : join(home, '.cache');
  return join(base ?? xdg, 'rosi');
}
