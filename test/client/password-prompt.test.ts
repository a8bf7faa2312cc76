import { expect, test } from 'vitest';
import { fakeFront } from '../support/client-front.ts';
import { person } from '../support/enclavectl.ts';
import { onTerminal } from '../support/terminal.ts';

test('a password is asked for without echo; backspace works; Ctrl-C is 130', async () => {
  const front = await fakeFront();
  const carol = person(front.address);
  try {
    const login = onTerminal(carol.home, front, 'login', 'carol');
    await expect.poll(login.text).toContain('Password: ');
    login.type('correct hoXX\u007f\u007frse\r');
    expect(await login.ended, login.text()).toBe(0);
    expect(login.text()).toContain('logged in as carol');
    expect(login.text()).not.toContain('correct');
    const abandoned = onTerminal(carol.home, front, 'login', 'carol');
    await expect.poll(abandoned.text).toContain('Password: ');
    abandoned.type('corr\u0003');
    expect(await abandoned.ended).toBe(130);
    expect(abandoned.text()).not.toContain('corr');
  } finally {
    carol.remove();
    await front.close();
  }
});
