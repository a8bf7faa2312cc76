/**
 * The most that one verification asks of the crypto seam, whatever the bundle, with at most 8 roots an issuer (what
 * roots.json and a trust document hold). Signatures: the quote's, a grant's, and in each of two chains every root of
 * the last issuer's name and three certificates below. Hashes: leaf, 16 levels and qualifying data; names of the
 * attestation key; PCR values; two fingerprints; confirmation; grant; roots; each root of both chains twice; and with a
 * cache each certificate, the key and the quote once. No input is larger than the bundle.
 */
export const WORK_BOUND = { signatures: 24, hashes: 70 } as const;
