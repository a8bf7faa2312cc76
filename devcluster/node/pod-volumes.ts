import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type VolumeFile, writeAtomically } from './atomic-directory.ts';
import { configMapData, secretData, type ValueSources } from './container-environment.ts';
import { type DownwardContext, fieldValue, resourceValue } from './downward.ts';
import type { DownwardFile, KeyToPath, ProjectedSource, Volume } from './pod.ts';

/** A volume that cannot be set up yet: the kubelet reports FailedMount and tries again. */
class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

export interface IssuedToken {
  readonly token: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export interface VolumeSources extends ValueSources {
  token(audience: string | undefined, expirationSeconds: number): Promise<IssuedToken>;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3607;

interface HeldToken extends IssuedToken {
  readonly renewAt: number;
}

/** The volumes of one pod as folders of this machine: made once, brought up to date by `refresh`. */
export class PodVolumes {
  readonly #root: string;
  readonly #volumes: readonly Volume[];
  readonly #context: DownwardContext;
  readonly #sources: VolumeSources;
  readonly #tokens = new Map<string, HeldToken>();
  readonly #written = new Map<string, string>();

  constructor(root: string, volumes: readonly Volume[], context: DownwardContext, sources: VolumeSources) {
    this.#root = root;
    this.#volumes = volumes;
    this.#context = context;
    this.#sources = sources;
  }

  /** Where a volume stands on this machine. @throws VolumeError when the pod has no such volume. */
  pathOf(name: string): string {
    const volume = this.#volumes.find((each) => each.name === name);
    if (volume === undefined) throw new VolumeError(`no volume with name "${name}"`);
    return volume.hostPath ? volume.hostPath.path : join(this.#root, name);
  }

  /**
   * Makes what is missing and rewrites what has changed: objects that were edited, tokens at four fifths of their life.
   * @throws VolumeError for a required object or key that does not exist.
   */
  async refresh(now: number = Date.now()): Promise<void> {
    for (const volume of this.#volumes) {
      if (volume.hostPath) this.#checkHostPath(volume.hostPath);
      else if (volume.emptyDir) this.#emptyDir(volume.name);
      else this.#write(volume.name, await this.#filesOf(volume, now));
    }
  }

  #emptyDir(name: string): void {
    const path = join(this.#root, name);
    if (existsSync(path)) return;
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }

  #checkHostPath({ path, type = '' }: NonNullable<Volume['hostPath']>): void {
    if (existsSync(path)) return;
    if (type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true });
    else if (type !== '') throw new VolumeError(`hostPath type check failed: ${path} is not a ${type}`);
  }

  #write(name: string, files: ReadonlyMap<string, VolumeFile>): void {
    const content = JSON.stringify(
      [...files].map(([path, file]) => [path, Buffer.from(file.bytes).toString('base64'), file.mode]),
    );
    if (this.#written.get(name) === content) return;
    writeAtomically(join(this.#root, name), files);
    this.#written.set(name, content);
  }

  async #filesOf(volume: Volume, now: number): Promise<Map<string, VolumeFile>> {
    const files = new Map<string, VolumeFile>();
    if (volume.configMap)
      await this.#project(
        volume.name,
        { configMap: volume.configMap },
        volume.configMap.defaultMode,
        now,
        files,
      );
    else if (volume.secret) {
      const { secretName, defaultMode, ...rest } = volume.secret;
      await this.#project(
        volume.name,
        { secret: { ...rest, name: secretName ?? '' } },
        defaultMode,
        now,
        files,
      );
    } else if (volume.downwardAPI)
      await this.#project(volume.name, volume, volume.downwardAPI.defaultMode, now, files);
    else if (volume.projected)
      for (const source of volume.projected.sources ?? [])
        await this.#project(volume.name, source, volume.projected.defaultMode, now, files);
    else throw new VolumeError(`volume "${volume.name}": this node cannot make a volume of its type`);
    return files;
  }

  async #project(
    volume: string,
    source: ProjectedSource,
    mode: number = DEFAULT_MODE,
    now: number,
    into: Map<string, VolumeFile>,
  ): Promise<void> {
    if (source.configMap) {
      const object = await this.#sources.configMap(source.configMap.name ?? '');
      selectKeys('configmap', source.configMap, object && configMapData(object), mode, into);
    }
    if (source.secret) {
      const object = await this.#sources.secret(source.secret.name ?? '');
      selectKeys('secret', source.secret, object && secretData(object), mode, into);
    }
    for (const item of source.downwardAPI?.items ?? [])
      into.set(item.path, { bytes: Buffer.from(this.#downward(item)), mode: item.mode ?? mode });
    if (source.serviceAccountToken) {
      const { audience, expirationSeconds = DEFAULT_TOKEN_SECONDS, path } = source.serviceAccountToken;
      const key = `${volume}/${path}`;
      let held = this.#tokens.get(key);
      if (held === undefined || now >= held.renewAt) {
        const issued = await this.#sources.token(audience, expirationSeconds);
        held = { ...issued, renewAt: now + 0.8 * (issued.expiresAt - now) };
        this.#tokens.set(key, held);
      }
      into.set(path, { bytes: Buffer.from(held.token), mode });
    }
  }

  #downward(item: DownwardFile): string {
    const value = item.fieldRef
      ? fieldValue(this.#context, item.fieldRef)
      : item.resourceFieldRef && resourceValue(this.#context, item.resourceFieldRef);
    if (value === undefined) throw new VolumeError(`downward API: nothing for ${item.path}`);
    return value;
  }
}

function selectKeys(
  kind: string,
  ref: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  data: ReadonlyMap<string, Buffer> | undefined,
  mode: number,
  into: Map<string, VolumeFile>,
): void {
  if (data === undefined) {
    if (ref.optional === true) return;
    throw new VolumeError(`${kind} "${ref.name}" not found`);
  }
  if (ref.items === undefined || ref.items.length === 0) {
    for (const [key, bytes] of data) into.set(key, { bytes, mode });
    return;
  }
  for (const item of ref.items) {
    const bytes = data.get(item.key);
    if (bytes !== undefined) into.set(item.path, { bytes, mode: item.mode ?? mode });
    else if (ref.optional !== true)
      throw new VolumeError(`${kind} "${ref.name}" references non-existent key: ${item.key}`);
  }
}
