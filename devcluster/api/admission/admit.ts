import { isDeepStrictEqual } from 'node:util';
import type { Call } from '../call.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import type { KubeObject } from '../object.ts';
import { applyReview, callWebhook } from './call-webhook.ts';
import { type MatchedWebhook, matchingWebhooks } from './match.ts';

/**
 * Mutating admission: built-in first, then webhooks. When a webhook changed the object, built-in admission runs once more
 * (it may have something to say of a new container), and so do webhooks with `reinvocationPolicy: IfNeeded` that ran
 * before the change. `redefault` runs after each change. Returns the object to go on with.
 */
export async function admitMutating(
  call: Call,
  object: KubeObject,
  old: KubeObject | undefined,
  redefault: (changed: KubeObject) => KubeObject,
): Promise<KubeObject> {
  const builtIn = (given: KubeObject): KubeObject => {
    rulesOf(call.resource).admit?.(call, given, old);
    return redefault(given);
  };
  let now = builtIn(object);
  const ran: MatchedWebhook[] = [];
  const again = new Set<string>();
  let changed = false;
  const run = async (webhook: MatchedWebhook): Promise<void> => {
    const reviewed = await callWebhook(call, webhook, now, old);
    const next =
      reviewed?.patch === undefined ? now : redefault(applyReview(now, reviewed.patch, webhook.name));
    if (isDeepStrictEqual(next, now)) return;
    now = next;
    changed = true;
    for (const before of ran) again.add(before.id);
  };
  const webhooks = matchingWebhooks(call, 'mutatingwebhookconfigurations', now, old);
  for (const webhook of webhooks) {
    await run(webhook);
    if (webhook.reinvoke) ran.push(webhook);
  }
  if (!changed) return now;
  const before = now;
  now = builtIn(structuredClone(now));
  if (!isDeepStrictEqual(before, now)) for (const webhook of ran) again.add(webhook.id);
  for (const webhook of webhooks) if (again.has(webhook.id)) await run(webhook);
  return now;
}

/** Admission of a deletion: mutating webhooks may refuse it (there is nothing to change), then validating ones. */
export async function admitDeletion(call: Call, old: KubeObject): Promise<void> {
  for (const webhook of matchingWebhooks(call, 'mutatingwebhookconfigurations', undefined, old))
    await callWebhook(call, webhook, undefined, old);
  await admitValidating(call, undefined, old);
}

/** Validating admission: webhooks that see the object as it would be stored; all are asked at once, the first refusal counts. */
export async function admitValidating(
  call: Call,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): Promise<void> {
  const webhooks = matchingWebhooks(call, 'validatingwebhookconfigurations', object, old);
  const results = await Promise.allSettled(
    webhooks.map((webhook) => callWebhook(call, webhook, object, old)),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
