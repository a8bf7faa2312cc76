import { readGivenFile } from '../files/read-given-file.ts';
import { explain } from '../run/explain.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigOf, environmentName, flagName, type Option, type Options } from './option.ts';
import { isMisfit, readValue, type Value } from './value.ts';

export interface Sources {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `ENCLAVE_<COMPONENT>_` or `ENCLAVECTL_`. */
  readonly environmentPrefix: string;
}

/**
 * Reads a configuration: flags over environment over the YAML file that `--config` (or the environment) names. Unknown flags and keys
 * refuse. Unknown environment variables do not: Kubernetes puts `ENCLAVE_CERTS_SERVICE_HOST` and the like into every pod.
 * @throws {ConfigError}
 */
export async function readConfig<S extends Options>(options: S, sources: Sources): Promise<ConfigOf<S>> {
  const flags = readFlags(options, sources.argv);
  const environment = readEnvironment(options, sources);
  const file = flags.get('config') ?? environment.get('config');
  const yaml = file === undefined ? new Map<string, unknown>() : await readFile(options, String(file.raw));
  const config: Record<string, Value | undefined> = {};
  for (const [key, option] of Object.entries(options)) {
    const yamlValue = yaml.get(key);
    const given =
      flags.get(key) ??
      environment.get(key) ??
      (yamlValue === undefined
        ? undefined
        : { raw: yamlValue, source: `${flagName(key)} in ${String(file?.raw)}` });
    config[key] = given === undefined ? defaultOf(key, option, sources) : checked(option, given);
  }
  return Object.freeze(config) as ConfigOf<S>;
}

/** Has somebody asked for help? */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.includes('--help') || argv.includes('-h');
}

interface Given {
  readonly raw: unknown;
  readonly source: string;
}

function checked(option: Option, given: Given): Value {
  const value = readValue(option, given.raw);
  if (isMisfit(value)) throw new ConfigError(`${given.source} ${value.misfit}`);
  return value;
}

function defaultOf(key: string, option: Option, sources: Sources): Value | undefined {
  if (option.default !== undefined)
    return checked(option, { raw: option.default, source: `default of --${flagName(key)}` });
  if (option.required)
    throw new ConfigError(
      `--${flagName(key)} (or ${environmentName(sources.environmentPrefix, key)}) is required: ${option.help}`,
    );
  return undefined;
}

function readFlags(options: Options, argv: readonly string[]): Map<string, Given> {
  const keys = new Map(Object.keys(options).map((key) => [`--${flagName(key)}`, key]));
  const found = new Map<string, Given>();
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] ?? '';
    const equals = argument.indexOf('=');
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const key = keys.get(flag);
    if (key === undefined)
      throw new ConfigError(
        `unknown ${argument.startsWith('-') ? `flag ${flag}` : 'argument'}; --help lists the flags`,
      );
    if (found.has(key)) throw new ConfigError(`${flag} is given twice`);
    if (equals >= 0) found.set(key, { raw: argument.slice(equals + 1), source: flag });
    else if (options[key]?.kind === 'boolean') found.set(key, { raw: true, source: flag });
    else {
      i += 1;
      const next = argv[i];
      if (next === undefined || keys.has(next.split('=')[0] ?? ''))
        throw new ConfigError(`${flag} needs a value`);
      found.set(key, { raw: next, source: flag });
    }
  }
  return found;
}

/**
 * `ENCLAVE_CERTS_PORT=tcp://10.96.0.5:8446`: what a kubelet writes into each pod for a Service `enclave-certs`, under the name of our
 * --port. Whoever may make Services in a namespace must not be able to configure, or break, our processes there.
 */
function isServiceLink(name: string, raw: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(raw);
}

function readEnvironment(options: Options, sources: Sources): Map<string, Given> {
  const found = new Map<string, Given>();
  for (const key of Object.keys(options)) {
    const name = environmentName(sources.environmentPrefix, key);
    const raw = sources.environment[name];
    // An empty variable is an unset one: manifests cannot leave a variable out.
    if (raw !== undefined && raw !== '' && !isServiceLink(name, raw)) found.set(key, { raw, source: name });
  }
  return found;
}

async function readFile(options: Options, path: string): Promise<Map<string, unknown>> {
  let parsed: unknown;
  try {
    // Loaded only here: most processes, the sidecar among them, have no file.
    const { parse } = await import('yaml');
    parsed = parse(readGivenFile(path).toString('utf8'));
  } catch (error) {
    throw new ConfigError(`--config ${path}: ${explain(error)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`--config ${path} must hold one YAML mapping`);
  const keys = new Map(Object.keys(options).map((key) => [flagName(key), key]));
  const found = new Map<string, unknown>();
  for (const [name, value] of Object.entries(parsed)) {
    const key = keys.get(name);
    if (key === undefined || key === 'config') throw new ConfigError(`--config ${path}: unknown key ${name}`);
    found.set(key, value);
  }
  return found;
}
