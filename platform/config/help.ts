import { environmentName, flagName, type Option, type Options } from './option.ts';

const METAVARS: Record<Option['kind'], string> = {
  string: 'TEXT',
  path: 'FILE',
  address: 'HOST:PORT',
  duration: 'DURATION',
  choice: '',
  integer: 'N',
  boolean: '[=true|false]',
  list: 'A,B,...',
};

/** The text of `--help`, generated from the options. */
export function helpText(program: string, options: Options, environmentPrefix: string): string {
  const rows = Object.entries(options).map(([key, option]) => {
    const metavar = option.kind === 'choice' ? option.values.join('|') : METAVARS[option.kind];
    const separator = option.kind === 'boolean' ? '' : ' ';
    const value = option.required
      ? ' (required)'
      : option.default === undefined
        ? ''
        : ` (default ${Array.isArray(option.default) ? option.default.join(',') : String(option.default)})`;
    return { left: `--${flagName(key)}${separator}${metavar}`, right: option.help + value };
  });
  const width = Math.max(...rows.map((row) => row.left.length));
  return [
    `Usage: ${program} [flags]`,
    '',
    ...rows.map((row) => `  ${row.left.padEnd(width)}  ${row.right}`),
    '',
    `Every flag is also read from the environment (--health-port is ${environmentName(environmentPrefix, 'healthPort')}) and from the`,
    'YAML file that --config names (health-port: 9464). Flags win over the environment, the environment over the file.',
    '',
  ].join('\n');
}
