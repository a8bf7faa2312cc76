import { readFileSync, statSync } from 'node:fs';
import { parseJson } from '../../formats/bytes/json.ts';

/** What an image is here: a command of this machine, known by the digest of what it runs. */
export interface CatalogueImage {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  /** The image's entrypoint. May be empty: the pod then names the whole command. */
  readonly command: readonly string[];
  /** The image's default arguments. */
  readonly args: readonly string[];
  /** The image's environment: the pod's own stands above it. */
  readonly env: Readonly<Record<string, string>>;
}

/** An image that cannot be had; `reason` is the kubelet's. */
export class ImagePullError extends Error {
  override readonly name = 'ImagePullError';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

const MAX_BYTES = 1024 * 1024;

/**
 * The file `{"images": {"<name>": {"digest", "command", "args"?, "env"?}}}`, read anew when it changes, so that
 * images can be added while the cluster runs.
 */
export class ImageCatalogue {
  readonly #path: string;
  #images: ReadonlyMap<string, CatalogueImage> = new Map();
  #version = '';

  constructor(path: string) {
    this.#path = path;
    this.#load();
  }

  /** The image for a reference `name[:tag][@sha256:...]`. @throws ImagePullError */
  resolve(reference: string): CatalogueImage {
    const match = /^([^@\s]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(reference);
    if (match?.[1] === undefined)
      throw new ImagePullError('InvalidImageName', `couldn't parse image name "${reference}"`);
    this.#load();
    const image = this.#images.get(match[1]);
    if (image === undefined)
      throw new ImagePullError('ErrImagePull', `image "${match[1]}" is not in the catalogue ${this.#path}`);
    if (match[3] !== undefined && match[3] !== image.digest)
      throw new ImagePullError(
        'ErrImagePull',
        `image "${match[1]}" has digest ${image.digest} in the catalogue, not ${match[3]}`,
      );
    return image;
  }

  #load(): void {
    const { mtimeMs, size, ino } = statSync(this.#path);
    const version = `${mtimeMs}/${size}/${ino}`;
    if (version === this.#version) return;
    const parsed = parseJson(readFileSync(this.#path), { maxBytes: MAX_BYTES, maxDepth: 8 });
    if (!parsed.ok) throw new Error(`${this.#path}: ${parsed.message}`);
    this.#images = new Map(
      Object.entries(asRecord(asRecord(parsed.value, this.#path)['images'], `${this.#path}: images`)).map(
        ([name, value]) => [name, parseImage(value, `${this.#path}: ${name}`)],
      ),
    );
    this.#version = version;
  }
}

function parseImage(value: unknown, at: string): CatalogueImage {
  const { digest, command, args = [], env = {} } = asRecord(value, at);
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Error(`${at}: digest must be sha256: and 64 hex digits`);
  if (!isStrings(command) || !isStrings(args))
    throw new Error(`${at}: command and args must be lists of text`);
  const variables = asRecord(env, `${at}: env`);
  if (!isStrings(Object.values(variables))) throw new Error(`${at}: env must map names to text`);
  return { digest, command, args, env: variables as Record<string, string> };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function asRecord(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${at} must be an object`);
  return value as Record<string, unknown>;
}
