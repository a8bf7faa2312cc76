import type { Result } from '../../formats/bytes/result.ts';
import type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
import {
  integer,
  list,
  object,
  oneOf,
  readJson,
  sha256Hex,
  text,
} from '../../formats/evidence/json-shape.ts';
import { goesOn } from '../../verify/tpm-state.ts';
import type { TpmSeen } from '../../verify/verdict.ts';

/** A node's TPM as it was last seen, and the attestation keys that it was seen with. */
export interface NodeSeen {
  readonly node: string;
  readonly ekSha256: string;
  /** Names (TPM 2.0 Library part 1, 16), lower-case hex, the newest last: during a rotation two of them serve. */
  readonly akNames: readonly string[];
  readonly resetCount: number;
  readonly restartCount: number;
  /** Milliseconds. */
  readonly clock: number;
  /** Unix seconds. */
  readonly seenAt: number;
}

/** What was refused for what was seen before, and for nothing else: the user may accept it. */
export interface RefusedTpm extends TpmSeen {
  readonly code: 'node-other-tpm' | 'clock-went-back';
  /** Unix seconds. */
  readonly refusedAt: number;
}

/** What is remembered of nodes; one node has one TPM and one TPM has one node. */
export interface NodeMemory {
  readonly v: 'enclavectl-nodes/1';
  readonly nodes: readonly NodeSeen[];
  readonly refused: readonly RefusedTpm[];
}

/** What a new sight of a TPM told. */
export type Sight = 'node-new' | 'attestation-key-new' | 'node-restarted';

export const NO_NODES: NodeMemory = { v: 'enclavectl-nodes/1', nodes: [], refused: [] };

const MAX_NODES = 10_000;
const MAX_REFUSED = 64;
/** A rotation needs two; the others only keep an old one from being called new. */
const MAX_AK_NAMES = 8;
const NODE = text(/^[^\p{Cc}]+$/u, 253, 'the name of a node');
const NAME = text(/^[0-9a-f]*$/, 200, 'a name in lower-case hex');
const COUNT = integer(0, Number.MAX_SAFE_INTEGER);
const STATE = { resetCount: COUNT, restartCount: COUNT, clock: COUNT };
const SHAPE = object({
  v: oneOf('enclavectl-nodes/1'),
  nodes: list(
    object({
      node: NODE,
      ekSha256: sha256Hex,
      akNames: list(NAME, 1, MAX_AK_NAMES),
      ...STATE,
      seenAt: COUNT,
    }),
    0,
    MAX_NODES,
  ),
  refused: list(
    object({
      code: oneOf('node-other-tpm', 'clock-went-back'),
      ...{ node: NODE, ekSha256: sha256Hex, akName: NAME, ...STATE, refusedAt: COUNT },
    }),
    0,
    MAX_REFUSED,
  ),
});

/** Closed schema; nothing is skipped. */
export function parseNodeMemory(content: Uint8Array): Result<NodeMemory, EvidenceCode> {
  return readJson(content, SHAPE, { maxBytes: 16 * 1024 * 1024, maxDepth: 4 }, 'what was seen of nodes');
}

export function seenTpms({ nodes }: NodeMemory): TpmSeen[] {
  return nodes.map(({ akNames, seenAt: _, ...rest }) => ({ ...rest, akName: akNames.at(-1) ?? '' }));
}

/**
 * Adds what a good verdict saw. It never goes back, in whatever order several processes write: within one reset count each value is the highest seen. A TPM that is
 * bound otherwise meanwhile (the user accepted another) is left as it is.
 */
export function withSeen(
  memory: NodeMemory,
  tpm: TpmSeen,
  now: number,
): { memory: NodeMemory; sights: Sight[] } {
  const { akName, ...state } = tpm;
  const before = memory.nodes.find(({ node, ekSha256 }) => node === tpm.node || ekSha256 === tpm.ekSha256);
  if (before === undefined) {
    const node: NodeSeen = { ...state, akNames: [akName], seenAt: now };
    return { memory: { ...memory, nodes: [...memory.nodes, node].slice(-MAX_NODES) }, sights: ['node-new'] };
  }
  if (before.node !== tpm.node || before.ekSha256 !== tpm.ekSha256) return { memory, sights: [] };
  const newKey = !before.akNames.includes(akName);
  const merged: NodeSeen = {
    ...before,
    ...(tpm.resetCount > before.resetCount && state),
    ...(tpm.resetCount === before.resetCount && {
      restartCount: Math.max(before.restartCount, tpm.restartCount),
      clock: Math.max(before.clock, tpm.clock),
    }),
    akNames: newKey ? [...before.akNames, akName].slice(-MAX_AK_NAMES) : before.akNames,
    seenAt: Math.max(before.seenAt, now),
  };
  return {
    memory: {
      ...memory,
      nodes: memory.nodes.map((each) => (each === before ? merged : each)),
      // It is back where it was: what was refused in between is no longer asked about.
      refused: memory.refused.filter(({ node }) => node !== tpm.node),
    },
    sights: [
      ...(newKey ? (['attestation-key-new'] as const) : []),
      ...(tpm.resetCount > before.resetCount ? (['node-restarted'] as const) : []),
    ],
  };
}

/** Keeps what was refused, the newest a node, so that the user can be shown it and accept it. */
export function withRefused(memory: NodeMemory, refused: RefusedTpm): NodeMemory {
  const others = memory.refused.filter(({ node }) => node !== refused.node);
  return { ...memory, refused: [...others, refused].slice(-MAX_REFUSED) };
}

/** Whether what was refused last is the TPM that was refused before, as it went on: a connection that is tried again is no news. */
export function isSameRefusal(before: RefusedTpm, last: RefusedTpm): boolean {
  return last.node === before.node && last.ekSha256 === before.ekSha256 && goesOn(before, last);
}

/** What was refused is what counts from now on; whatever else was known of this node or this TPM is forgotten. */
export function withAccepted(memory: NodeMemory, accepted: RefusedTpm, now: number): NodeMemory {
  const { code: _code, refusedAt: _at, akName, ...state } = accepted;
  const others = memory.nodes.filter(
    ({ node, ekSha256 }) => node !== accepted.node && ekSha256 !== accepted.ekSha256,
  );
  return {
    ...memory,
    nodes: [...others, { ...state, akNames: [akName], seenAt: now }],
    refused: memory.refused.filter(({ node }) => node !== accepted.node),
  };
}
