/**
 * The most that one verification asks of the crypto seam, whatever the bundle, with at most 8 roots an issuer (what
 * roots.json and a trust document hold). Signatures: the quote's, a grant's, and in each of two chains every root of
 * the last issuer's name and three certificates below. Hashes: leaf, 16 levels and qualifying data; names of the
 * attestation key; PCR values; fingerprints; grant; set of roots; and each root of both chains, when the policy lists
 * some. No input is larger than the bundle's parts.
 */
export const WORK_BOUND = { signatures: 24, hashes: 44 } as const;
