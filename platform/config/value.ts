import { parseDuration } from './duration.ts';
import type { Address, Option } from './option.ts';

/** Why a value does not fit, as the end of the sentence "--flag ...". */
export interface Misfit {
  readonly misfit: string;
}

export type Value = string | number | boolean | readonly string[] | Address;

/** Turns text (flag, environment) or a YAML value into the option's value. */
export function readValue(option: Option, raw: unknown): Value | Misfit {
  switch (option.kind) {
    case 'string':
    case 'path':
      return typeof raw === 'string' && raw !== '' && !raw.includes('\0')
        ? raw
        : { misfit: 'must be text and not empty' };
    case 'choice':
      return typeof raw === 'string' && option.values.includes(raw)
        ? raw
        : { misfit: `must be one of ${option.values.join(', ')}` };
    case 'boolean':
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      return { misfit: 'must be true or false' };
    case 'integer':
      return readInteger(option.min ?? 0, option.max ?? Number.MAX_SAFE_INTEGER, raw);
    case 'duration': {
      const duration = typeof raw === 'string' ? parseDuration(raw) : undefined;
      return duration ?? { misfit: 'must be a duration such as 90s, 15m or 1h30m' };
    }
    case 'list':
      return readList(raw);
    case 'address':
      return readAddress(raw);
  }
}

export function isMisfit(value: Value | Misfit): value is Misfit {
  return typeof value === 'object' && 'misfit' in value;
}

function readInteger(min: number, max: number, raw: unknown): number | Misfit {
  const value =
    typeof raw === 'number' ? raw : typeof raw === 'string' && /^-?\d{1,16}$/.test(raw) ? Number(raw) : NaN;
  return Number.isSafeInteger(value) && value >= min && value <= max
    ? value
    : {
        misfit:
          max === Number.MAX_SAFE_INTEGER
            ? `must be an integer of at least ${min}`
            : `must be an integer from ${min} to ${max}`,
      };
}

function readList(raw: unknown): readonly string[] | Misfit {
  const items: unknown[] = Array.isArray(raw)
    ? raw
    : typeof raw === 'string'
      ? raw.split(',').map((item) => item.trim())
      : [''];
  const texts = items.filter((item): item is string => typeof item === 'string' && item !== '');
  return texts.length === items.length
    ? texts
    : { misfit: 'must be a list of names separated by commas, none empty' };
}

function readAddress(raw: unknown): Address | Misfit {
  const match =
    typeof raw === 'string' ? /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(raw) : null;
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : { misfit: 'must be host:port' };
}
