import { fromUtf8, toUtf8 } from '../bytes/bytes.ts';
import { TAGS } from './der-tags.ts';

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/**
 * Unix seconds of a certificate's time (RFC 5280, 4.1.2.5): UTCTime to 2049, GeneralizedTime from 2050, both in
 * seconds and Zulu; undefined for any other form and for dates that do not exist.
 */
export function decodeTime(tag: number, content: Uint8Array): number | undefined {
  const text = fromUtf8(content) ?? '';
  const match = (tag === TAGS.utcTime ? UTC_TIME : GENERALIZED_TIME).exec(text);
  if (!match) return undefined;
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const year = tag === TAGS.utcTime ? written + (written < 50 ? 2000 : 1900) : written;
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  const seconds = milliseconds / 1000;
  const encoded = encodeTime(seconds);
  return encoded?.tag === tag && fromUtf8(encoded.content) === text ? seconds : undefined;
}

/** The one form of a time between 1950 and 9999; undefined outside. Unix seconds, whole. */
export function encodeTime(seconds: number): { tag: number; content: Uint8Array } | undefined {
  if (!Number.isInteger(seconds) || seconds < -631152000 || seconds > 253402300799) return undefined;
  const digits = new Date(seconds * 1000)
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replace(/[-:T]/g, '');
  return Number(digits.slice(0, 4)) < 2050
    ? { tag: TAGS.utcTime, content: toUtf8(digits.slice(2)) }
    : { tag: TAGS.generalizedTime, content: toUtf8(digits) };
}
