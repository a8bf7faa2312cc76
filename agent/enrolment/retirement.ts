import { RETIRED_KEYS_ANNOTATION } from '../../names/labels.ts';
import { ATTESTED_NODES, type AttestedNode } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';

/**
 * Watches this node's AttestedNode for attestation keys that an operator wants replaced. All that an annotation can do is have this agent make and enrol another
 * key, once.
 */
export function watchRetirement(options: {
  readonly kube: Kube;
  readonly node: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): { retired(): readonly string[]; readonly ended: Promise<void> } {
  const { kube, node, log, signal } = options;
  const watch = kube.watch<AttestedNode>(ATTESTED_NODES, {
    fieldSelector: `metadata.name=${node}`,
    signal,
    onTrouble: (error) => log.debug({ error }, `the AttestedNode cannot be watched: ${explain(error)}`),
  });
  return {
    retired: () =>
      watch.get({ name: node })?.metadata?.annotations?.[RETIRED_KEYS_ANNOTATION]?.split(',') ?? [],
    ended: watch.ended,
  };
}
