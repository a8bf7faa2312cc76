import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where fetched packages and compressed layers are kept between builds: in the user's cache folder (XDG Base Directory). */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'enclave-licensing', 'images');
}
