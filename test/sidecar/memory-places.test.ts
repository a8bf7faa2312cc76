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

test('a place that must be had counts against the others, and nobody has it who has three quarters', () => {
  const places = createMemoryPlaces(100);
  expect(places.take('bob', 30)).toBeDefined();
  const back = places.hold('ada', 75);
  expect(places.take('bob', 1)).toBeUndefined();
  expect(places.hold('ada', 1)).toBeUndefined();
  expect(places.hold('bob', 1)).toBeDefined();
  back?.();
  expect(places.take('bob', 11)).toBeDefined();
});
