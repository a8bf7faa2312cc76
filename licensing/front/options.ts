import { DEFAULT_ENCLAVE_DOMAIN, DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { PORTS } from '../../names/wire.ts';
import type { Options } from '../../platform/config/option.ts';
import { KUBE_OPTIONS } from '../../platform/kube/kube-options.ts';

export const FRONT_OPTIONS = {
  ...KUBE_OPTIONS,
  launcher: { kind: 'address', required: true, help: 'the launcher’s address' },
  launcherName: { kind: 'string', help: 'its DNS name (default enclave-launcher.<release namespace>.svc)' },
  certs: { kind: 'address', required: true, help: 'the certificate service’s address' },
  certsName: { kind: 'string', help: 'its DNS name (default enclave-certs.<release namespace>.svc)' },
  database: {
    kind: 'path',
    help: 'SQLite file of the one front, made with mode 0600 when it does not exist; or --database-url-file',
  },
  databaseUrlFile: {
    kind: 'path',
    help: 'file with postgres://user:password@host/database, for any number of fronts',
  },
  databaseCaFile: {
    kind: 'path',
    help: 'roots in PEM for the PostgreSQL server; needed unless the URL says sslmode=disable',
  },
  importDatabase: {
    kind: 'path',
    help: 'SQLite file of the front of before, copied into the PostgreSQL database once, while that is empty',
  },
  databaseConnections: {
    kind: 'integer',
    default: 10,
    min: 2,
    max: 200,
    help: 'PostgreSQL connections of one front, at most',
  },
  seats: { kind: 'integer', default: 3, max: 10_000, help: 'seats of a new user’s licence' },
  rootsFile: { kind: 'path', required: true, help: 'roots.json of the ConfigMap enclave-licensing-roots' },
  releaseNamespace: { kind: 'string', default: DEFAULT_RELEASE_NAMESPACE, help: 'namespace of this release' },
  trustLimit: {
    kind: 'duration',
    default: '1h',
    help: 'a trust document older than this lets nobody log in, and no token count',
  },
  publicNames: {
    kind: 'list',
    help: 'DNS names by which users reach front; the certificate service is given the same',
  },
  port: { kind: 'integer', default: PORTS.front, max: 65_535, help: 'port of the licensing API' },
  tokenLifetime: { kind: 'duration', default: '8h', help: 'how long a login lasts' },
  tokenKeyLifetime: {
    kind: 'duration',
    default: '24h',
    help: 'how long a key signs tokens before the next one does',
  },
  enclaveTokenLifetime: {
    kind: 'duration',
    default: '1h',
    help: 'how long a token for an enclave (auth: jwt) lasts, and a stream or WebSocket that it let in',
  },
  enclaveDomain: {
    kind: 'string',
    default: DEFAULT_ENCLAVE_DOMAIN,
    help: 'domain of the enclaves’ names, as the launcher has it',
  },
  tokenNamespaces: {
    kind: 'list',
    help: 'namespaces whose self-deployed enclaves with auth: jwt let every user in; without it, none',
  },
  launchTimeout: { kind: 'duration', default: '5m', help: 'from the seat to ready' },
  unattendedTimeout: {
    kind: 'duration',
    default: '15m',
    help: 'how long a launch lives whose result nobody takes',
  },
  reconcileInterval: { kind: 'duration', default: '1m', help: 'how often seats and pods are compared' },
  scryptLogN: {
    kind: 'integer',
    default: 15,
    min: 14,
    max: 20,
    help: 'scrypt’s cost: log2 of N, with r = 8, p = 1',
  },
  scryptConcurrency: {
    kind: 'integer',
    default: 2,
    min: 1,
    max: 64,
    help: 'scrypts at once; keep it two below UV_THREADPOOL_SIZE (4)',
  },
  scryptQueue: { kind: 'integer', default: 64, min: 1, max: 10_000, help: 'logins that may wait for scrypt' },
  loginsPerUser: {
    kind: 'integer',
    default: 10,
    min: 1,
    max: 1_000_000,
    help: 'failed logins a minute for one user name, and at once',
  },
  loginsPerPeer: {
    kind: 'integer',
    default: 120,
    min: 1,
    max: 1_000_000,
    help: 'logins and sign-ups a minute from one address, and at once',
  },
} as const satisfies Options;
