import type { Cluster } from './cluster.ts';
import type { ResourceRequest } from './request-info.ts';
import type { Resource } from './resource.ts';

/** Who asks: authentication.k8s.io/v1 UserInfo. */
export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** One authorized request for a resource. */
export interface Call {
  readonly cluster: Cluster;
  readonly user: User;
  readonly request: ResourceRequest;
  readonly resource: Resource;
  readonly query: URLSearchParams;
  readonly dryRun: boolean;
  /** Sent back as `Warning: 299 - "..."` headers. */
  readonly warnings: string[];
  /** The Accept header: kubectl asks for tables. */
  readonly accept: string;
}
