import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { writeFileAtomic } from '../../platform/files/write-file-atomic.ts';

export interface IssuedToPod {
  readonly podUid: string;
  readonly node: string;
  /** Unix seconds of the certificate that lasts longest. */
  readonly notAfter: number;
}

/** Which pods hold enclave certificates: says whose agent may revoke them, and until when a revocation must be published. */
export interface IssuedLog {
  add(entry: IssuedToPod): void;
  find(podUid: string): IssuedToPod | undefined;
}

const FILE = 'issued-enclaves.jsonl';
/** Renewals and ended certificates that may stand in the file before it is written anew. */
const SPARE_LINES = 4096;

/**
 * Opens the log: one JSON object a line, appended and on disk before the certificate leaves. What has ended is dropped when it is opened, and
 * when the file has grown to twice what was needed then. A last line that a crash cut short is dropped as well: its certificate never left.
 * @param now unix seconds
 */
export function openIssuedLog(folder: string, now: () => number, spareLines = SPARE_LINES): IssuedLog {
  const path = join(folder, FILE);
  const entries = new Map<string, IssuedToPod>();
  const put = (entry: IssuedToPod): void => {
    const before = entries.get(entry.podUid);
    entries.set(entry.podUid, { ...entry, notAfter: Math.max(entry.notAfter, before?.notAfter ?? 0) });
  };
  for (const line of readLines(path)) {
    const entry = parseLine(line);
    if (entry !== undefined) put(entry);
  }
  let lines = 0;
  let needed = 0;
  const compact = (): void => {
    const time = now();
    for (const [podUid, { notAfter }] of entries) if (notAfter <= time) entries.delete(podUid);
    writeFileAtomic(path, [...entries.values()].map((entry) => `${JSON.stringify(entry)}\n`).join(''), 0o600);
    needed = entries.size;
    lines = needed;
  };
  compact();
  return {
    add: (entry) => {
      if (lines >= 2 * needed + spareLines) compact();
      const file = openSync(path, 'a', 0o600);
      try {
        writeSync(file, `${JSON.stringify(entry)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      lines += 1;
      put(entry);
    },
    find: (podUid) => entries.get(podUid),
  };
}

function readLines(path: string): string[] {
  return readIfThere(path)?.toString('utf8').split('\n') ?? [];
}

function parseLine(line: string): IssuedToPod | undefined {
  try {
    const { podUid, node, notAfter } = JSON.parse(line) as Partial<IssuedToPod>;
    return typeof podUid === 'string' && typeof node === 'string' && typeof notAfter === 'number'
      ? { podUid, node, notAfter }
      : undefined;
  } catch {
    return undefined;
  }
}
