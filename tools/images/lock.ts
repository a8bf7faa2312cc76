/** `make images-lock`: the present versions of Debian's archive into debian.lock. */
import { writeFileSync } from 'node:fs';
import { cacheFolder } from './cache-folder.ts';
import { LOCK_FILE, printLock } from './debian-lock.ts';
import { presentPackages } from './debian-packages.ts';

writeFileSync(LOCK_FILE, printLock(presentPackages(cacheFolder())));
console.log('tools/images/debian.lock is written');
