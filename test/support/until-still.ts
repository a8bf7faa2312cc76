import { until } from './until.ts';

/** Looks in a row that must see the same. Between two of them every process of a busy machine had its turn. */
const LOOKS = 8;

/** Waits until something that moves (more than 0) moves no more. @returns how far it came */
export async function untilStill(what: string, progress: () => number | Promise<number>): Promise<number> {
  let [last, same] = [0, 0];
  await until(`${what} does not move`, async () => {
    const now = await progress();
    same = now > 0 && now === last ? same + 1 : 0;
    last = now;
    return same === LOOKS;
  });
  return last;
}
