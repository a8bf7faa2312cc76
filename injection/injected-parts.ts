import { toHex, toUtf8 } from '../formats/bytes/bytes.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { PatchOperation } from './json-patch.ts';
import type { Container, Volume } from './pod.ts';
import type { SidecarWish, Template } from './template.ts';

/** What one wish makes of a pod. The same wish has the same object, as long as it is remembered. */
export interface InjectedParts {
  readonly container: Container;
  /**
   * The annotation `injected`: version of the template, digest of the sidecar's image, and SHA-256 of the RFC 8785 JSON of
   * `{container, volume}` as injected, before admission completed them, in which `sha256:<hex>` of their UTF-8 stands for the roots. For people to read,
   * believed by nobody.
   */
  readonly note: string;
  /**
   * Patches that only add these parts, by their paths: what is added follows from the wish, so one array stands for all of them, and whoever writes it down can do
   * so once.
   */
  readonly additions: Map<string, readonly PatchOperation[]>;
}

/** Most pods come at least twice (mutate, validate), replicas again and again; container, hash and patch are most of a decision. */
const MAX_PARTS = 256;
/** A volume's name has any length until the API server has validated it, after us. */
const MAX_KEY = 2048;
/** Replicas are of one kind. What is written down of a patch holds the roots, so that of every kind an author can bring it would fill the memory. */
const MAX_ADDITIONS = 2;
/** By what differs from pod to pod, all for one set of roots. */
const known = new Map<string, InjectedParts>();
let knownAreFor = '';

/** All of a wish but its roots, in two parts: what variables say, and the rest. What no schema has checked stands last, one length before it: no two wishes have one key. */
function keysOf(
  { version }: Template,
  { image, settings: s, resources, socket }: SidecarWish,
): [string, string] {
  const checked = `${s.enclaveDomain} ${s.mode} ${s.upstream} ${s.auth} ${s.alpn} ${s.keyType} ${s.certificateLifetime}`;
  const rest = `${version} ${image} ${resources.cpu} ${resources.memory} ${socket?.folder} ${socket?.volume}`;
  return [`${checked} ${s.ownerKeySha256} ${s.enclave.length} ${s.enclave} ${rest}`, rest];
}

const encoder = new TextEncoder();
/** Room for the text that is hashed: a new array each time costs as much as the hash. */
const scratch = new Uint8Array(16_384);
/** SHA-256 of `knownAreFor`, in hex. */
let rootsHash = '';
/** What comes behind the variables, and for which wishes. */
let tail = '';
let tailIsFor = '';

/** The text whose hash the annotation shows. */
function textOf({ env, ...others }: Container, volume: Volume, restKey: string): string {
  if (restKey !== tailIsFor) tail = `,${JSON.stringify(others).slice(1)},"volume":${JSON.stringify(volume)}}`;
  tailIsFor = restKey.length <= MAX_KEY ? restKey : '';
  const [roots, ...variables] = env ?? [];
  const head = JSON.stringify({ ...roots, value: `sha256:${rootsHash}` });
  return `{"container":{"env":[${head},${JSON.stringify(variables).slice(1)}${tail}`;
}

/** UTF-8, good until the next call. */
function bytesOf(text: string): Uint8Array {
  // At most three bytes a character.
  if (text.length * 3 > scratch.length) return toUtf8(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** What a template makes of a wish. The last few are remembered, and only as long as the roots stay. */
export function injectedParts(crypto: Crypto, template: Template, wish: SidecarWish): InjectedParts {
  const { roots } = wish.settings;
  if (roots !== knownAreFor || known.size >= MAX_PARTS) known.clear();
  if (roots !== knownAreFor) {
    rootsHash = toHex(crypto.hash('sha256', toUtf8(roots)));
    knownAreFor = roots;
  }
  const [key, restKey] = keysOf(template, wish);
  const found = known.get(key);
  if (found !== undefined) return found;
  const container = template.container(wish);
  const hash = toHex(crypto.hash('sha256', bytesOf(textOf(container, template.volume, restKey))));
  const note = `${template.version} ${wish.image.slice(wish.image.indexOf('@') + 1)} sha256:${hash}`;
  const parts = { container, note, additions: new Map() };
  if (key.length <= MAX_KEY) known.set(key, parts);
  return parts;
}

/** The one array that stands for every patch of these parts with these operations; a patch that does more than add is its own. */
export function sharedPatch(
  { additions }: InjectedParts,
  patch: readonly PatchOperation[],
): readonly PatchOperation[] {
  if (patch.length === 0 || patch.some(({ op }) => op !== 'add')) return patch;
  const paths = patch.map(({ path }) => path).join(' ');
  const shared = additions.get(paths);
  if (shared === undefined && additions.size < MAX_ADDITIONS) additions.set(paths, patch);
  return shared ?? patch;
}
