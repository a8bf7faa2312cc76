import { readPassword } from './terminal/password.ts';
import { sessions, type Workspace, withFront } from './workspace.ts';

export interface PasswordFlags {
  readonly passwordFile?: string;
}

export async function signup(workspace: Workspace, user: string, flags: PasswordFlags): Promise<void> {
  const password = await readPassword(workspace, flags.passwordFile, { repeat: true });
  await withFront(workspace, (client) => client.signUp({ user, password }, { signal: workspace.signal }));
  workspace.output.result({ ok: true, user }, [`signed up ${user}`]);
}

export async function login(workspace: Workspace, user: string, flags: PasswordFlags): Promise<void> {
  const password = await readPassword(workspace, flags.passwordFile, { repeat: false });
  await withFront(workspace, async (client, pinned) => {
    const { token, expiresAt } = await client.login({ user, password }, { signal: workspace.signal });
    const until = expiresAt === undefined ? workspace.now() + 300 : Math.floor(expiresAt.getTime() / 1000);
    const server = workspace.settings.serverText();
    sessions(workspace).save({ server, rootsSha256: pinned.sha256, user, token, expiresAt: until });
    const text = new Date(until * 1000).toISOString();
    workspace.output.result({ ok: true, user, server, expiresAt: text }, [
      `logged in as ${user} until ${text}`,
    ]);
  });
}

/** Forgets the session; keys and certificates of enclaves stay. */
export async function logout(workspace: Workspace): Promise<void> {
  const was = sessions(workspace).clear();
  workspace.output.result({ ok: true, wasLoggedIn: was }, [was ? 'logged out' : 'you were not logged in']);
}
