import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Clock } from '../../platform/run/clock.ts';
import type { Live } from '../../platform/run/live.ts';
import { steadyClock } from '../life/steady-clock.ts';

/**
 * The time by which access is judged: the wall clock, but never before the trust document was issued, and never slower than time itself since it
 * came. So a clock that is set back makes no document, certificate, grant or token last longer, neither for what stands nor for what comes. Each
 * newer document starts it anew: a clock that was ahead, and is set right, is believed again from then on.
 * @param elapsed monotonic milliseconds, of any origin
 */
export function accessClock(
  clock: Clock,
  elapsed: () => number,
  trust: Live<{ readonly document: TrustDocument | undefined }>,
): Clock {
  let issuedAt = 0;
  let steady = steadyClock(clock, elapsed);
  const hear = ({ document }: { readonly document: TrustDocument | undefined }): void => {
    if (document === undefined || document.issuedAt <= issuedAt) return;
    issuedAt = document.issuedAt;
    const atLeast = issuedAt * 1000;
    steady = steadyClock({ now: () => Math.max(clock.now(), atLeast) }, elapsed);
  };
  hear(trust.current());
  trust.onChange(hear);
  return { now: () => steady.now() };
}
