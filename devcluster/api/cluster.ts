import type { CertificateAuthority } from './certificate-authority.ts';
import type { Resource } from './resource.ts';
import { BUILT_IN_RESOURCES } from './resources.ts';
import { Store } from './store.ts';

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
  readonly authority: CertificateAuthority;
  readonly serviceAccountIssuer: string;
  /** Watches that ended with the server; aborted when it closes. */
  readonly closing = new AbortController();
  /** host:port, known once the server listens. */
  address = '';

  constructor(authority: CertificateAuthority, serviceAccountIssuer: string, historyLimit: number) {
    this.store = new Store(historyLimit);
    this.authority = authority;
    this.serviceAccountIssuer = serviceAccountIssuer;
  }

  /** Unix milliseconds. */
  now(): number {
    return Date.now();
  }
}
