import { expect, test } from 'vitest';
import * as oids from '../../names/oids.ts';

test('every arc fits into 31 bits: Go’s crypto/x509, and so kube-apiserver, refuses a certificate with a larger one', () => {
  const arcs = Object.values(oids).flatMap((oid) => oid.split('.').map(Number));
  expect(arcs.length).toBeGreaterThan(50);
  expect(arcs.filter((arc) => !Number.isSafeInteger(arc) || arc > 2 ** 31 - 1)).toEqual([]);
});
