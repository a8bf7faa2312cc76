import { join } from 'node:path';
import { expandVariables } from './expand-variables.ts';
import type { CatalogueImage } from './image-catalogue.ts';
import type { Container } from './pod.ts';
import { type PathMapping, rewritePaths } from './rewrite-paths.ts';

/** What a container runtime gives a container that neither image nor pod sets. */
const RUNTIME_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ContainerCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Command line and environment of a container: the pod's `command` replaces the image's command and arguments, its `args` the
 * image's arguments; `$(NAME)` is expanded in both; mount paths become real ones everywhere.
 */
export function containerCommand(
  container: Container,
  image: CatalogueImage,
  variables: ReadonlyMap<string, string>,
  hostname: string,
  mappings: readonly PathMapping[],
): ContainerCommand {
  const expand = (texts: readonly string[]): string[] =>
    texts.map((text) => rewritePaths(expandVariables(text, variables), mappings));
  const ownCommand = container.command !== undefined && container.command.length > 0;
  const ownArgs = container.args !== undefined && container.args.length > 0;
  const real = (texts: readonly string[]): string[] => texts.map((text) => rewritePaths(text, mappings));
  const command = ownCommand ? expand(container.command ?? []) : [...image.command];
  const args = ownArgs ? expand(container.args ?? []) : ownCommand ? [] : real(image.args);
  const all = new Map([
    ['PATH', RUNTIME_PATH],
    ['HOSTNAME', hostname],
    ...Object.entries(image.env),
    ...variables,
  ]);
  return {
    command: [...command, ...args],
    env: Object.fromEntries([...all].map(([name, value]) => [name, rewritePaths(value, mappings)])),
  };
}

/** Where each mount of a container really stands. */
export function pathMappings(container: Container, pathOf: (volume: string) => string): PathMapping[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, subPath }) => ({
    mountPath,
    realPath: subPath ? join(pathOf(name), subPath) : pathOf(name),
  }));
}
