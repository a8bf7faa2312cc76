/** Of request and answer. */
export const BODY_BYTES = 1024;

export interface LoadSetup {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly serverName: string;
}

/** What `proxy-load.ts` is told to do to one proxy. */
export type LoadTask = { readonly host: string; readonly port: number } & (
  | { readonly kind: 'requests'; readonly connections: number; readonly ms: number }
  | { readonly kind: 'download' | 'upload'; readonly connections: number; readonly bytes: number }
  | { readonly kind: 'handshakes'; readonly connections: number; readonly ms: number }
  | { readonly kind: 'open'; readonly connections: number }
  | { readonly kind: 'close' }
);

export interface LoadReport {
  /** Answers, bytes, handshakes or connections. */
  readonly done: number;
  readonly seconds: number;
  /** What was negotiated. */
  readonly cipher: string;
}
