import { toHex, toUtf8 } from '../formats/bytes/bytes.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { Container } from './pod.ts';
import type { SidecarWish, Template } from './template.ts';

/** Most pods come at least twice (mutate, validate), replicas again and again, and the hash is half of a decision. */
const MAX_NOTES = 1024;
/** A volume's name has any length until the API server has validated it, after us. */
const MAX_KEY = 2048;
/** Notes by what differs from pod to pod, all for one set of roots. */
const notes = new Map<string, string>();
let notesAreFor = '';

const encoder = new TextEncoder();
/** Room for what is injected with one set of roots; a new array each time costs as much as the hash. */
const scratch = new Uint8Array(32_768);

/** UTF-8 that is good until the next call. */
function bytesOf(text: string): Uint8Array {
  // At most three bytes a character.
  if (text.length * 3 > scratch.length) return toUtf8(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}

/** All of a wish but its roots. What no schema has checked stands last, one length before it: no two wishes have one key. */
function keyOf({ version }: Template, { image, settings: s, resources, socket }: SidecarWish): string {
  const checked = `${version} ${image} ${s.enclaveDomain} ${s.mode} ${s.upstream} ${s.auth} ${s.alpn} ${s.keyType}`;
  const more = `${s.certificateLifetime} ${s.ownerKeySha256} ${resources.cpu} ${resources.memory} ${socket?.folder}`;
  return `${checked} ${more} ${s.enclave.length} ${s.enclave} ${socket?.volume}`;
}

/**
 * The annotation `injected`: version of the template, digest of the sidecar's image, and SHA-256 of the RFC 8785 JSON of
 * `{container, volume}` as injected, before admission completed them. For people to read, believed by nobody.
 */
export function injectedNote(
  crypto: Crypto,
  template: Template,
  wish: SidecarWish,
  container: Container,
): string {
  const { roots } = wish.settings;
  if (roots !== notesAreFor || notes.size >= MAX_NOTES) notes.clear();
  notesAreFor = roots;
  const key = keyOf(template, wish);
  const known = notes.get(key);
  if (known !== undefined) return known;
  const text = JSON.stringify({ container, volume: template.volume });
  const hash = toHex(crypto.hash('sha256', bytesOf(text)));
  const note = `${template.version} ${wish.image.slice(wish.image.indexOf('@') + 1)} sha256:${hash}`;
  if (key.length <= MAX_KEY) notes.set(key, note);
  return note;
}
