import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fromBase64url } from '../../formats/bytes/base64.ts';
import { fromHex } from '../../formats/bytes/bytes.ts';
import { type Bundle, bundleFromJson, MAX_BUNDLE_JSON_BYTES } from '../../formats/evidence/bundle.ts';
import { usage } from '../failure.ts';
import { attest } from '../library/evidence/attest.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { expectedSpecs } from '../library/policy/expected-spec.ts';
import { heldTrust } from '../library/trust/trust.ts';
import { readUserFile } from '../read-user-file.ts';
import { explanationLines, explanationObject, readCheckName } from './explain-check.ts';
import { refusedVerdict, verdictLines, verdictObject } from './terminal/print-verdict.ts';
import { enclaves, trustStore, type Workspace } from './workspace.ts';

export interface VerifyFlags {
  readonly nonce?: string;
  readonly at?: string;
  readonly enclave?: string;
  readonly ownerKey?: string;
  readonly explain?: string;
}

/**
 * `enclavectl verify FILE|DIR`: offline, by the policy and the roots that are held. Nothing is remembered: the evidence may be old.
 * `--explain CHECK` alone explains a check, beside a bundle that of this verdict too.
 */
export async function verifyFile(workspace: Workspace, path: string, flags: VerifyFlags): Promise<void> {
  const { settings, output } = workspace;
  const check = flags.explain === undefined ? undefined : readCheckName(flags.explain);
  if (path === '') {
    if (check === undefined)
      throw usage(
        'bundle-missing',
        'no bundle is given',
        'enclavectl verify FILE, or verify --explain CHECK',
      );
    output.result({ ok: true, ...explanationObject(check) }, explanationLines(check, output.width));
    return;
  }
  const policy = settings.policy();
  const pinned = settings.pinned();
  const bundle = readBundle(path);
  const trust = heldTrust(pinned, trustStore(workspace, pinned));
  const ownerKeySha256 = flags.ownerKey === undefined ? undefined : readSha256(flags.ownerKey);
  const own = flags.enclave === undefined ? undefined : ownEnclave(workspace, flags.enclave);
  const owner = ownerKeySha256 ?? own?.ownerKeySha256;
  const specs =
    own?.profileSpec === undefined || owner === undefined || flags.enclave === undefined
      ? undefined
      : expectedSpecs(policy, {
          enclave: flags.enclave,
          ownerKeySha256: owner,
          profileSpec: JSON.parse(own.profileSpec),
          rootsTexts: trust.rootsTexts,
          serverName: own.serverName,
        });
  const verdict = attest(bundle, {
    policy,
    trust,
    nonce: flags.nonce === undefined ? 'unchecked' : readNonce(flags.nonce),
    now: flags.at === undefined ? workspace.now() : readTime(flags.at),
    ...(owner !== undefined && { ownerKeySha256: owner }),
    ...(flags.enclave !== undefined && { enclave: flags.enclave }),
    ...(specs?.ok && { specSha256: specs.value }),
  });
  output.result({ ...verdictObject(verdict), ...(check && { explanation: explanationObject(check) }) }, [
    ...verdictLines(verdict, output.width),
    ...(check === undefined ? [] : ['', ...explanationLines(check, output.width)]),
  ]);
  if (!verdict.ok) throw refusedVerdict(verdict);
}

/** A bundle from its JSON file, or from a folder that `bundle export` wrote. @throws Failure when it is none */
export function readBundle(path: string): Bundle {
  const file = statSync(path).isDirectory() ? join(path, 'bundle.json') : path;
  // Asked first where there is a size to ask for: the message then says what is wanted.
  if (statSync(file).size > MAX_BUNDLE_JSON_BYTES)
    throw usage('bundle-too-large', `${file} is over ${MAX_BUNDLE_JSON_BYTES} bytes`, 'give a bundle.json');
  const bundle = bundleFromJson(readUserFile(file, MAX_BUNDLE_JSON_BYTES));
  if (!bundle.ok) throw usage(bundle.code, `${file}: ${bundle.message}`, bundle.remedy);
  return bundle.value;
}

function ownEnclave(workspace: Workspace, id: string) {
  const store = enclaves(workspace);
  const key = store.key(id);
  const record = store.record(id);
  if (key === undefined || record === undefined)
    throw usage(
      'enclave-unknown',
      `enclave ${id} is not known here`,
      'leave --enclave out, or give --owner-key',
    );
  return { ...record, ownerKeySha256: keySha256(key) };
}

function readSha256(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw usage(
      'owner-key-invalid',
      '--owner-key must be 64 lower-case hexadecimal digits',
      'SHA-256 of the SPKI',
    );
  return text;
}

function readNonce(text: string): Uint8Array {
  const nonce = fromHex(text) ?? fromBase64url(text);
  if (nonce === undefined || nonce.length < 16 || nonce.length > 64)
    throw usage(
      'nonce-invalid',
      '--nonce must be 16 to 64 bytes as hex or base64url',
      'give the nonce that was asked with',
    );
  return nonce;
}

/** Unix seconds from ISO 8601 or a number. @throws Failure */
export function readTime(text: string, flag = '--at'): number {
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (!Number.isFinite(seconds))
    throw usage('time-invalid', `${flag} ${text} is no time`, 'write 2026-01-31T12:00:00Z or Unix seconds');
  return Math.floor(seconds);
}
