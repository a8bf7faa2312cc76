import { type Result, refuse, success } from '../../formats/bytes/result.ts';

/** Where a PostgreSQL database is, and as whom. */
export interface DatabaseUrl {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Never logged. */
  readonly password: string;
  /** `disable` is plain text, and only when the URL says so. */
  readonly sslmode: 'verify-full' | 'disable';
}

const MAX_LENGTH = 4096;
const FORM =
  'postgres://user:password@host:port/database, with ?sslmode=disable only where plain text is meant';

/** `postgres://user:password@host[:port]/database[?sslmode=...]` in one line. What is said of a wrong one holds nothing of it. */
export function parseDatabaseUrl(text: string): Result<DatabaseUrl, 'database-url-invalid'> {
  const no = (what: string) => refuse('database-url-invalid', what, `write ${FORM}`);
  const line = text.trim();
  if (line === '' || line.length > MAX_LENGTH || /\s/.test(line)) return no('it is not one line with a URL');
  const url = URL.parse(line);
  if (url === null || (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:'))
    return no('it is no postgres:// URL');
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decode);
  if (user === undefined || password === undefined || database === undefined)
    return no('it has a "%" that begins no escape');
  if (url.hostname === '') return no('it names no host');
  if (user === '') return no('it names no user');
  if (database === '' || database.includes('/')) return no('it names no database');
  for (const name of url.searchParams.keys())
    if (name !== 'sslmode') return no('it has another parameter than sslmode');
  const modes = url.searchParams.getAll('sslmode');
  const [sslmode = 'verify-full'] = modes;
  if (modes.length > 1 || (sslmode !== 'verify-full' && sslmode !== 'disable'))
    return no('sslmode is verify-full or disable: what is between does not know whom it speaks to');
  const port = url.port === '' ? 5432 : Number(url.port);
  return success({ host: url.hostname.replace(/^\[|\]$/g, ''), port, database, user, password, sslmode });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
