import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../../platform/config/option.ts';
import { flagName } from '../../platform/config/option.ts';
import { isMisfit, readValue } from '../../platform/config/value.ts';
import { readIfThere } from '../../platform/files/read-if-there.ts';
import { apiServerFromPod } from '../../platform/kube/kube-options.ts';
import type { ApiServer } from '../../platform/kube/transport.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import { Failure, usage } from '../failure.ts';
import { FRONT_NAME } from '../library/front/front-client.ts';
import { readPolicyFile } from '../library/policy/policy-file.ts';
import { type PinnedRoots, readPinnedRoots } from '../library/trust/pinned-roots.ts';
import { readUserFile } from '../read-user-file.ts';
import type { Folders } from '../state/folders.ts';

/** Flags that every command takes; each is read from `ENCLAVECTL_<FLAG>` too. */
export interface GlobalFlags {
  readonly server?: string;
  readonly ca?: string;
  readonly serverName?: string;
  readonly policy?: string;
  readonly json?: boolean;
}

/** What `init` wrote: `config.json`. */
export interface StoredConfig {
  readonly server: string;
  readonly serverName?: string;
  readonly policy?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags over environment over what `init` wrote; each value is asked for when a command needs it. */
export class Settings {
  readonly folders: Folders;
  readonly #flags: GlobalFlags;
  readonly #environment: Environment;

  constructor(flags: GlobalFlags, environment: Environment, folders: Folders) {
    this.folders = folders;
    this.#flags = flags;
    this.#environment = environment;
  }

  /** `host:port`. @throws Failure */
  serverText(): string {
    const text = this.#value('server') ?? this.#stored()?.server;
    if (text === undefined)
      throw usage('server-unknown', 'no server is given', 'run enclavectl init, or give --server HOST:PORT');
    return text;
  }

  server(): Address {
    const text = this.serverText();
    const address = readValue({ kind: 'address', help: '' }, text);
    if (isMisfit(address) || typeof address !== 'object' || !('host' in address))
      throw usage(
        'server-invalid',
        `--server ${text} must be host:port`,
        'for example --server licensing.example:443',
      );
    return address;
  }

  serverName(): string {
    return this.#value('serverName') ?? this.#stored()?.serverName ?? FRONT_NAME;
  }

  /** The roots that the operator gave: a file, or what `init` pinned for this server. @throws Failure, also when both are there and differ */
  pinned(): PinnedRoots {
    const file = this.#value('ca');
    const kept = readIfThere(join(this.folders.config, 'roots.json'));
    const pinned = kept && readPinnedRoots(kept.toString('utf8'), 'the pinned roots');
    if (file === undefined) {
      if (pinned === undefined)
        throw usage(
          'roots-unknown',
          'there are no roots to judge the server by',
          'run enclavectl init, or give --ca FILE from the operator',
        );
      return pinned;
    }
    const given = readPinnedRoots(readUserFile(file).toString('utf8'), file);
    if (pinned !== undefined && given.sha256 !== pinned.sha256 && this.pinnedServer() === this.serverText())
      throw new Failure(
        'not-allowed',
        'roots-differ',
        `${file} holds other roots (${given.sha256}) than those pinned for this server (${pinned.sha256})`,
        'ask the operator; enclavectl init --replace pins the new ones',
      );
    return given;
  }

  /** The same, or undefined where none are given and none are pinned. @throws Failure as above */
  pinnedIfAny(): PinnedRoots | undefined {
    const kept = existsSync(join(this.folders.config, 'roots.json'));
    return this.#value('ca') === undefined && !kept ? undefined : this.pinned();
  }

  /** Whether a server is given, or was by `init`. */
  knowsServer(): boolean {
    return (this.#value('server') ?? this.#stored()?.server) !== undefined;
  }

  /** @throws Failure when none is named */
  policy(): Policy {
    const policy = this.policyIfNamed();
    if (policy === undefined)
      throw usage(
        'policy-missing',
        'there is no policy to judge evidence by',
        'give --policy FILE (enclavectl help verify)',
      );
    return policy;
  }

  /** The same, or undefined when none is named. */
  policyIfNamed(): Policy | undefined {
    const path = this.#value('policy') ?? this.#stored()?.policy;
    return path === undefined ? undefined : readPolicyFile(path);
  }

  /** The server whose roots are pinned. */
  pinnedServer(): string | undefined {
    return this.#stored()?.server;
  }

  policyPath(): string | undefined {
    return this.#value('policy');
  }

  caPath(): string | undefined {
    return this.#value('ca');
  }

  /** kubectl's: several files are separated by colons. */
  kubeconfig(): string | undefined {
    return this.#environment['KUBECONFIG'] || undefined;
  }

  /** The API server by the service account of the pod that this runs in; undefined outside a pod. */
  podsApiServer(): ApiServer | undefined {
    return apiServerFromPod(this.#environment);
  }

  #value(key: 'server' | 'ca' | 'serverName' | 'policy'): string | undefined {
    const flag = this.#flags[key];
    // An empty flag takes the environment's value away.
    if (flag !== undefined) return flag === '' ? undefined : flag;
    const value = this.#environment[`ENCLAVECTL_${flagName(key).replaceAll('-', '_').toUpperCase()}`];
    return value === '' ? undefined : value;
  }

  #stored(): StoredConfig | undefined {
    const text = readIfThere(join(this.folders.config, 'config.json'));
    return text === undefined ? undefined : (JSON.parse(text.toString('utf8')) as StoredConfig);
  }
}
