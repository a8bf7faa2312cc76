/**
 * When to renew: after two thirds of the lifetime, up to a twentieth of it earlier, so that processes that started together do not renew together.
 * @param random 0 to 1
 * @returns unix seconds
 */
export function renewalTime(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  random: number,
): number {
  const lifetime = Math.max(0, notAfter - notBefore);
  return notBefore + Math.round(lifetime * (2 / 3 - random / 20));
}
