import { expect, test } from 'vitest';
import { elapsedClock } from '../../platform/run/elapsed-clock.ts';

test('the elapsed clock counts what the machine slept, and never goes back', () => {
  const now = { wall: 1_000, timer: 0 };
  const clock = elapsedClock({ now: () => now.wall }, () => now.timer);
  const start = clock.now();
  const passes = (wall: number, timer: number): number => {
    now.wall += wall;
    now.timer += timer;
    return clock.now() - start;
  };
  expect(passes(10, 10)).toBe(10);
  // Slept for an hour; then the clock is set back by a day.
  expect(passes(3_600_000, 0)).toBe(3_600_010);
  expect(passes(-86_400_000, 5)).toBe(3_600_015);
});

test('it is asked often, and goes no faster: what the two clocks round is no time that passed', () => {
  const now = { timer: 0 };
  const clock = elapsedClock({ now: () => Math.floor(now.timer) }, () => now.timer);
  const start = clock.now();
  for (let asked = 1; asked <= 40_000; asked += 1) {
    now.timer = asked / 4;
    clock.now();
  }
  expect(clock.now() - start).toBe(10_000);
});
