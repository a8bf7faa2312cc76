import type { Refusal, Result } from '../../formats/bytes/result.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import type { Live } from '../../platform/run/live.ts';
import { type AccessRules, type Allowed, sameAnchors, stillAllowed, usableTrust } from './access.ts';
import { type AccessCode, refuseAccess } from './code.ts';

/** Something that lasts and stands on an access: a connection, a request or stream that a token let in. */
export interface Holder {
  /** Judges from the beginning, signatures included: asked only when the roots of users or the token keys changed. */
  judge(): Result<Allowed, AccessCode> | Promise<Result<Allowed, AccessCode>>;
  /** The access is over. Called once at most, and not after it was let go of. */
  end(why: Refusal<AccessCode>): void;
}

export interface StandingAccess {
  /** Keeps watch over an access until what is returned is called: revoked, ended by its time, or no usable trust document any more. */
  hold(allowed: Allowed, holder: Holder): () => void;
  close(): void;
}

export interface StandingAccessOptions {
  readonly rules: AccessRules;
  readonly trust: Live<{ readonly document: TrustDocument | undefined }>;
  /** `accessClock`: no plain wall clock, which may be set back. */
  readonly clock: Clock;
  /** Said with each trust document, and when the newest becomes too old. */
  onUsable(usable: Result<TrustDocument, AccessCode>): void;
}

/** A machine that slept, or whose clock was set, is looked at again after this. */
const LONGEST_MS = 30_000;

/**
 * Judges what was let in again: with each new trust document, when the newest one becomes too old, and when a certificate, grant or token ends. One timer for
 * all of it.
 */
export function createStandingAccess(options: StandingAccessOptions): StandingAccess {
  const { rules, trust, clock, onUsable } = options;
  const held = new Map<symbol, { readonly allowed: Allowed; readonly holder: Holder }>();
  let judged = trust.current().document;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let stale = false;

  const lookNoLaterThan = (at: number): void => {
    const wanted = Math.min(at, clock.now() + LONGEST_MS);
    if (wanted >= dueAt) return;
    clearTimeout(timer);
    dueAt = wanted;
    timer = setTimeout(look, Math.max(0, wanted - clock.now()));
    timer.unref();
  };

  const end = (id: symbol, why: Refusal<AccessCode>): void => {
    const found = held.get(id);
    held.delete(id);
    found?.holder.end(why);
  };

  const judgeAnew = async (id: symbol, holder: Holder): Promise<void> => {
    try {
      const result = await holder.judge();
      if (!result.ok) end(id, result);
    } catch {
      end(id, refuseAccess('token-invalid', 'the token cannot be judged again'));
    }
  };

  const look = (): void => {
    clearTimeout(timer);
    dueAt = Number.POSITIVE_INFINITY;
    const { document } = trust.current();
    const now = unixSeconds(clock);
    const usable = usableTrust(document, rules, now);
    if (document !== judged || stale === usable.ok) onUsable(usable);
    stale = !usable.ok;
    const anew = document !== undefined && judged !== undefined && !sameAnchors(document, judged);
    judged = document;
    let next = usable.ok ? usable.value.issuedAt + rules.trustLimit + 1 : Number.POSITIVE_INFINITY;
    for (const [id, { allowed, holder }] of held) {
      const result = stillAllowed(allowed, rules, document, now);
      if (!result.ok) end(id, result);
      else if (anew) void judgeAnew(id, holder);
      next = Math.min(next, allowed.notAfter);
    }
    if (next < Number.POSITIVE_INFINITY) lookNoLaterThan(next * 1000);
  };

  const unsubscribe = trust.onChange(look);
  return {
    hold: (allowed, holder) => {
      const id = Symbol(allowed.via);
      held.set(id, { allowed, holder });
      // A token is judged with pauses: what came in between counts too.
      const now = stillAllowed(allowed, rules, trust.current().document, unixSeconds(clock));
      if (!now.ok) queueMicrotask(() => end(id, now));
      lookNoLaterThan(allowed.notAfter * 1000);
      return () => void held.delete(id);
    },
    close: () => {
      unsubscribe();
      clearTimeout(timer);
      held.clear();
    },
  };
}
