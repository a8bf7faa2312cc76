import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { Finding } from './finding.ts';

/** The ConfigMap in the release's namespace that holds what the keeper found. */
export const FINDINGS_CONFIG_MAP = 'enclave-licensing-findings';

export interface Overview {
  readonly findings: readonly Finding[];
  readonly namespaces: number;
  readonly pods: number;
}

export interface StatusReporterOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly namespace: string;
  /** This replica. */
  readonly identity: string;
}

const AGAIN_MS = 60_000;
/** A ConfigMap holds 1 MiB. */
const MAX_LINES = 500;
const MAX_LINE = 1000;

/** Writes all findings into one ConfigMap: at each change, and once a minute, so that whoever reads it sees that somebody looks. */
export class StatusReporter {
  readonly #options: StatusReporterOptions;
  #written = '';
  #at = 0;

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  /** @throws the API server's refusal */
  async report(overview: Overview): Promise<void> {
    const { kube, clock, namespace, identity } = this.#options;
    const { counted, lines } = overviewText(overview);
    const text = `${counted}\n${lines}`;
    const now = clock.now();
    if (text === this.#written && now - this.#at < AGAIN_MS) return;
    const summary = `${counted}; looked at ${new Date(now).toISOString()} by ${identity}`;
    const data = { summary, findings: lines };
    const ref = { namespace, name: FINDINGS_CONFIG_MAP };
    try {
      await kube.patch(CONFIG_MAPS, ref, { data });
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
      await kube.create(CONFIG_MAPS, { metadata: ref, data });
    }
    this.#written = text;
    this.#at = now;
  }
}

/** Pure. */
function overviewText({ findings, namespaces, pods }: Overview): { counted: string; lines: string } {
  const lines = findings
    .slice(0, MAX_LINES)
    .map(({ reason, about: { kind, namespace, name }, message }) =>
      `${namespace}/${name} ${kind} ${reason}: ${message}`.slice(0, MAX_LINE),
    );
  if (findings.length > MAX_LINES) lines.push(`and ${findings.length - MAX_LINES} more`);
  return {
    counted: `findings: ${findings.length}; labelled namespaces: ${namespaces}; enclave pods: ${pods}`,
    lines: lines.map((line) => `${line}\n`).join(''),
  };
}
