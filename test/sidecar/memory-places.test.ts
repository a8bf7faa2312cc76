import { expect, test } from 'vitest';
import { createMemoryPlaces } from '../../sidecar/proxy/http/memory-places.ts';

test('one user has three quarters at most, all together no more than there is, and what is given back is free', () => {
  const places = createMemoryPlaces(100);
  const back = places.take('ada', 75);
  expect(back).toBeDefined();
  expect(places.take('ada', 1)).toBeUndefined();
  expect(places.take('bob', 26)).toBeUndefined();
  expect(places.take('bob', 25)).toBeDefined();
  back?.();
  expect(places.take('ada', 75)).toBeDefined();
});

test('a place that must be had counts against the others', () => {
  const places = createMemoryPlaces(100);
  const back = places.hold('ada', 90);
  expect(places.take('bob', 11)).toBeUndefined();
  back();
  expect(places.take('bob', 11)).toBeDefined();
});
