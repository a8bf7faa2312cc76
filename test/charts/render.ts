/** The chart, rendered by the real helm. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type CommandResult, command } from '../../tools/cluster/command.ts';
import { helmPath } from '../support/helm.ts';

export const CHART = resolve('charts/licensing');
export const SIDECAR_DIGEST = `sha256:${'5c'.repeat(32)}`;

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [member: string]: unknown;
}

export interface RenderOptions {
  readonly namespace?: string;
  readonly values?: object;
  readonly chart?: string;
  readonly args?: readonly string[];
  /** Without the sidecar's digest that a chart from a checkout lacks. */
  readonly bare?: boolean;
}

/** `helm template`. */
export async function tryRender(options: RenderOptions = {}): Promise<CommandResult> {
  const directory = mkdtempSync(join(tmpdir(), 'chart-'));
  try {
    const base = join(directory, 'base.json');
    const values = join(directory, 'values.json');
    writeFileSync(
      base,
      JSON.stringify(options.bare ? {} : { images: { digests: { sidecar: SIDECAR_DIGEST } } }),
    );
    writeFileSync(values, JSON.stringify(options.values ?? {}));
    return await command(
      await helmPath(),
      [
        ...['template', 'licensing', options.chart ?? CHART, '-f', base, '-f', values],
        ...['--namespace', options.namespace ?? 'enclave-licensing', ...(options.args ?? [])],
      ],
      { env: { HOME: directory } },
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @throws Error with what helm said */
export async function render(options: RenderOptions = {}): Promise<Rendered[]> {
  const { code, stdout, stderr } = await tryRender(options);
  if (code !== 0) throw new Error(`helm template: exit ${code}\n${stderr}`);
  return objectsOf(stdout);
}

export function objectsOf(text: string): Rendered[] {
  return parseAllDocuments(text)
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as Rendered | null;
    })
    .filter((object) => object !== null);
}

/** `kind namespace/name`, by which objects are told apart. */
export function identityOf({ kind, metadata }: Rendered): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}
