import { member, readRequest, text } from '../admission-review.ts';
import type { NamespaceChange } from './namespace-rule.ts';

export interface NamespaceReview {
  readonly uid: string;
  /** Undefined when nothing is updated: a creation or deletion says nothing of a label that goes. */
  readonly change: NamespaceChange | undefined;
}

/** The request of a review of a namespace, whatever subresource its labels come through; undefined for anything else. */
export function readNamespaceReview(body: unknown): NamespaceReview | undefined {
  const found = readRequest(body, 'namespaces');
  if (found === undefined) return undefined;
  const { uid, operation, request } = found;
  if (operation !== 'UPDATE') return { uid, change: undefined };
  const [before, after] = [labelsOf(request, 'oldObject'), labelsOf(request, 'object')];
  const name = text(request, 'name');
  if (before === undefined || after === undefined || name === undefined) return undefined;
  return { uid, change: { name, before, after } };
}

function labelsOf(request: unknown, name: string): Readonly<Record<string, unknown>> | undefined {
  const object = member(request, name);
  if (typeof object !== 'object' || object === null) return undefined;
  return { ...((member(member(object, 'metadata'), 'labels') ?? {}) as object) };
}
