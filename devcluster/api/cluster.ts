import type { CertificateAuthority, KeyPairPem } from './certificate-authority.ts';
import type { CustomSchema } from './custom/schema.ts';
import type { Resource } from './resource.ts';
import { BUILT_IN_RESOURCES } from './resources.ts';
import type { Store } from './store.ts';
import type { Tokens } from './tokens.ts';

/** Resources served now: the built-in ones, and those that CustomResourceDefinitions add and remove. */
export class Resources {
  readonly #held = new Map<string, Resource>();

  constructor() {
    for (const resource of BUILT_IN_RESOURCES) this.add(resource);
  }

  add(resource: Resource): void {
    this.#held.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
  }

  remove(group: string, plural: string): void {
    for (const [key, resource] of this.#held)
      if (resource.group === group && resource.plural === plural) this.#held.delete(key);
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#held.get(`${group}/${version}/${plural}`);
  }

  all(): Resource[] {
    return [...this.#held.values()];
  }
}

/** Everything that handlers share. */
export class Cluster {
  readonly store: Store;
  readonly resources = new Resources();
  /** By `<table>/<version>`. */
  readonly customSchemas = new Map<string, CustomSchema>();
  readonly authority: CertificateAuthority;
  readonly tokens: Tokens;
  /** With which the server asks kubelets. */
  readonly kubeletClient: Promise<KeyPairPem>;
  /** Watches that ended with the server; aborted when it closes. */
  readonly closing = new AbortController();
  /** host:port, known once the server listens. */
  address = '';

  constructor(store: Store, authority: CertificateAuthority, tokens: Tokens) {
    this.store = store;
    this.authority = authority;
    this.tokens = tokens;
    this.kubeletClient = authority.issueClient('kube-apiserver-kubelet-client', ['system:masters']);
  }

  /** Unix milliseconds. */
  now(): number {
    return Date.now();
  }
}
