import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type { RpcRefusal } from '../../../platform/rpc/rpc-error.ts';
import type { Handlers } from '../../../platform/rpc/service.ts';
import type { LicensingServiceService } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import { type FrontRefusal, frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { RequestChecks } from './request-checks.ts';

type Accounts = Pick<Handlers<typeof LicensingServiceService>, 'signUp' | 'login'>;

const OVERLOADED_RETRY_MS = 3000;

/** Sign-up and login: rate limits first, then exactly one scrypt, whoever asks. */
export function accountHandlers(world: FrontWorld): Accounts {
  const { store, passwords, tokens, clock, metrics, loginsByPeer, loginsByUser } = world;
  return {
    async signUp({ user, password }, call) {
      const checks = new RequestChecks();
      checks.user(user);
      checks.newPassword(password);
      checks.done();
      const wait = loginsByPeer.take(call.peer.address, clock.now());
      if (wait > 0) throw tooOften('signedUp', wait);
      // A sign-up tells that a name is taken anyway, so it need not cost a scrypt to say so.
      if (await store.findUser(user)) throw exists(user);
      const key = await passwords.hash(password);
      if (!key.ok) throw overloaded('signedUp', key);
      const made = await store.createUser({ name: user, passwordKey: key.value }, world.seats, clock.now());
      if (!made.ok) throw exists(user);
      metrics.signedUp('ok');
      call.log.info({ user }, 'signed up');
      return {};
    },

    async login({ user, password }, call) {
      const checks = new RequestChecks();
      if (Buffer.byteLength(user) > 63) checks.wrong('user', 'must be at most 63 bytes long');
      checks.password(password);
      checks.done();
      const wait = waitOf(user, call);
      if (wait > 0) throw tooOften('loggedIn', wait);
      const record = await store.findUser(user).catch((error: unknown) => {
        // No guess was made.
        loginsByUser.giveBack(user, clock.now());
        throw error;
      });
      const matches = await passwords.verify(record?.passwordKey, password);
      if (!matches.ok) {
        loginsByUser.giveBack(user, clock.now());
        throw overloaded('loggedIn', matches);
      }
      if (!matches.value) {
        metrics.loggedIn('wrong-credentials');
        throw frontRefusal(WRONG_CREDENTIALS);
      }
      loginsByUser.giveBack(user, clock.now());
      const refusal = world.judgeUser(user);
      if (refusal !== undefined) {
        metrics.loggedIn(refusal.code);
        throw frontRefusal(refusal);
      }
      const { token, expiresAt } = await tokens.issue(user, clock.now());
      metrics.loggedIn('ok');
      call.log.info({ user }, 'logged in');
      return { token, expiresAt: new Date(expiresAt) };
    },
  };

  function waitOf(user: string, call: RpcCall): number {
    const peer = loginsByPeer.take(call.peer.address, clock.now());
    return peer > 0 ? peer : loginsByUser.take(user, clock.now());
  }

  function exists(user: string): RpcRefusal {
    metrics.signedUp('user-exists');
    return frontRefusal({
      code: 'user-exists',
      message: `there is a user "${user}" already`,
      remedy: 'choose another name, or log in',
    });
  }

  function tooOften(kind: 'signedUp' | 'loggedIn', retryAfterMs: number): RpcRefusal {
    metrics[kind]('rate-limited');
    const message = 'too many attempts';
    return frontRefusal({ code: 'rate-limited', message, remedy: 'wait, then try again' }, { retryAfterMs });
  }

  function overloaded(kind: 'signedUp' | 'loggedIn', refusal: FrontRefusal): RpcRefusal {
    metrics[kind]('overloaded');
    return frontRefusal(refusal, { retryAfterMs: OVERLOADED_RETRY_MS });
  }
}

/** One answer for an unknown user and a wrong password. */
const WRONG_CREDENTIALS = {
  code: 'wrong-credentials',
  message: 'user name or password is wrong',
  remedy: 'check both; a new user signs up first',
} as const;
