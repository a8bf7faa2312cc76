import { readdirSync, readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { decide, type Injection } from '../../injection/decide.ts';
import type { Pod } from '../../injection/pod.ts';
import { CONFIG } from './support.ts';

export const GOLDEN_FOLDER = new URL('../golden/injection/', import.meta.url);
export const DECISION = '.decision.yaml';
const POD = '.pod.yaml';

export interface GoldenPod {
  readonly name: string;
  readonly pod: Pod;
  readonly namespace: string;
}

/** Pods that vary in one thing each (its first line says which), as an API server sends them to the webhook. */
export function goldenPods(): GoldenPod[] {
  return readdirSync(GOLDEN_FOLDER)
    .filter((file) => file.endsWith(POD))
    .sort()
    .map((file) => {
      const pod: Pod = parse(readFileSync(new URL(file, GOLDEN_FOLDER), 'utf8'));
      return { name: file.slice(0, -POD.length), pod, namespace: pod.metadata?.namespace ?? '' };
    });
}

export function decideGolden({ pod, namespace }: GoldenPod): ReturnType<typeof decide> {
  return decide(pod, namespace, CONFIG);
}

export type InjectedPod = GoldenPod & Pick<Injection, 'patch'>;

/** Those that are injected, with their patch. */
export function injectedGoldenPods(): InjectedPod[] {
  return goldenPods().flatMap((golden) => {
    const decision = decideGolden(golden);
    return decision.ok && decision.patch.length > 0 ? [{ ...golden, patch: decision.patch }] : [];
  });
}

/** What the decision's file holds: patch and warnings, or the refusal as the author reads it. */
export function goldenDecision(golden: GoldenPod): string {
  const decision = decideGolden(golden);
  const { ok: _, ...shown } = decision;
  return stringify(decision.ok ? shown : { refused: shown }, { lineWidth: 0, aliasDuplicateObjects: false });
}
