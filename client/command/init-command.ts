import { join, resolve } from 'node:path';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { Failure, usage } from '../failure.ts';
import { fetchRoots } from '../library/front/front-client.ts';
import { readPolicyFile } from '../library/policy/policy-file.ts';
import { readFingerprint, readPinnedRoots } from '../library/trust/pinned-roots.ts';
import { readUserFile } from '../read-user-file.ts';
import { writePrivate } from '../state/private-file.ts';
import type { StoredConfig } from './settings.ts';
import { trustStore, type Workspace } from './workspace.ts';

export interface InitFlags {
  readonly fingerprint?: string;
  readonly replace?: boolean;
}

/** `enclavectl init`: pins the roots that the operator gave (a file, or their fingerprint), and remembers the server. */
export async function init(workspace: Workspace, flags: InitFlags): Promise<void> {
  const { settings, output, signal } = workspace;
  const server = settings.serverText();
  const address = settings.server();
  const file = settings.caPath();
  if ((file === undefined) === (flags.fingerprint === undefined))
    throw usage(
      'roots-unknown',
      'give the operator’s roots: either --ca FILE or --fingerprint SHA256',
      'ask the operator for roots.json, or for its SHA-256, by a way that is not this server',
    );
  const policy = settings.policyPath();
  if (policy !== undefined) readPolicyFile(policy);
  const roots =
    file === undefined
      ? await fetchRoots(address, readFingerprint(flags.fingerprint ?? ''), signal)
      : readPinnedRoots(readUserFile(file).toString('utf8'), file);
  const path = join(settings.folders.config, 'roots.json');
  const kept = readIfThere(path);
  const before = kept && readPinnedRoots(kept.toString('utf8'), 'the pinned roots');
  const replaced = before !== undefined && before.sha256 !== roots.sha256 ? before : undefined;
  if (replaced !== undefined && flags.replace !== true)
    throw new Failure(
      'not-allowed',
      'roots-differ',
      `other roots are pinned already (${replaced.sha256}); these are ${roots.sha256}`,
      'ask the operator why; --replace pins the new ones',
    );
  const name = settings.serverName();
  const config: StoredConfig = {
    server,
    serverName: name,
    ...(policy !== undefined && { policy: resolve(policy) }),
  };
  // A new CA is no reason to forget the machines of the same server.
  if (replaced !== undefined && settings.pinnedServer() === server)
    await trustStore(workspace, roots).takeOver(trustStore(workspace, replaced));
  writePrivate(path, roots.text);
  writePrivate(join(settings.folders.config, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  output.result(
    { ok: true, server, serverName: name, rootsSha256: roots.sha256, config: settings.folders.config },
    [
      ...(replaced === undefined ? [] : [`no longer pinned: ${replaced.sha256}`]),
      `pinned the roots ${roots.sha256}`,
      `server ${server} (${name})`,
    ],
  );
}
