/** What is written of one request; no header, no query, no token. */
export interface AccessRecord {
  readonly id: string;
  readonly user: string | undefined;
  readonly method: string;
  /** With its query, which is cut off here. */
  readonly path: string;
  /** 1 or 2. */
  readonly version: number;
  readonly status: number;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly outcome: string;
}

export interface AccessLog {
  write(record: AccessRecord): void;
  /** Hands out what is waiting. */
  flush(): void;
}

const MAX_PATH = 512;
const MAX_NAME = 128;
/** Lines go out together: at the latest after this, or when there are that many. */
const WAIT_MS = 100;
const LINES = 256;

/** JSON escapes control characters; those of C1, bidirectional ones and line separators, which terminals obey, are escaped here too. */
function text(value: string, most: number): string {
  return JSON.stringify(value.slice(0, most)).replaceAll(
    /[\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** One JSON line a request. */
export function createAccessLog(
  out: (lines: string) => void = (lines) => void process.stdout.write(lines),
): AccessLog {
  let lines: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length === 0) return;
    const ready = lines.join('');
    lines = [];
    out(ready);
  };
  return {
    flush,
    write: ({ id, user, method, path, version, status, bytes, milliseconds, outcome }) => {
      const query = path.indexOf('?');
      const bare = query < 0 ? path : path.slice(0, query);
      const who = user === undefined ? '' : `,"user":${text(user, MAX_NAME)}`;
      lines.push(
        `{"level":"info","time":"${new Date().toISOString()}","component":"sidecar","msg":"request","request":"${id}"${who},"method":${text(method, 32)},"path":${text(bare, MAX_PATH)},"http":${version},"status":${status},"bytes":${bytes},"milliseconds":${milliseconds.toFixed(1)},"outcome":"${outcome}"}\n`,
      );
      if (lines.length >= LINES) flush();
      else timer ??= setTimeout(flush, WAIT_MS).unref();
    },
  };
}
