import type { FieldViolation } from '../../../platform/rpc/rpc-error.ts';
import { invalidFields } from '../front-refusal.ts';

const USER = /^[a-z][a-z0-9._-]{0,62}$/;
const PROFILE = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;
/** A launched enclave's id, or `<namespace>.<service account>` of a self-deployed one. */
const ENCLAVE = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Collects what is wrong with a request, so that one answer names all of it. */
export class RequestChecks {
  readonly #violations: FieldViolation[] = [];

  /** @throws RpcRefusal INVALID_ARGUMENT when anything was wrong */
  done(): void {
    if (this.#violations.length > 0) throw invalidFields(this.#violations);
  }

  wrong(field: string, description: string): void {
    this.#violations.push({ field, description });
  }

  user(value: string): void {
    if (!USER.test(value))
      this.wrong('user', 'must be 1 to 63 of a-z, 0-9, "-", "." and "_", beginning with a letter');
  }

  newPassword(value: string): void {
    const { length } = Buffer.from(value);
    if (length < 8 || length > 1024) this.wrong('password', 'must be 8 to 1,024 bytes long');
  }

  /** A login's: only its size is bounded, for what it would cost. */
  password(value: string): void {
    if (Buffer.byteLength(value) > 1024) this.wrong('password', 'must be at most 1,024 bytes long');
  }

  profile(value: string): void {
    if (!PROFILE.test(value)) this.wrong('profile', 'must be the name of an EnclaveProfile');
  }

  enclave(field: string, value: string): void {
    if (!ENCLAVE.test(value)) this.wrong(field, 'must be an enclave’s id');
  }

  nonce(value: Uint8Array): void {
    if (value.length < 16 || value.length > 64) this.wrong('nonce', 'must be 16 to 64 bytes');
  }

  launchId(value: Uint8Array): void {
    if (value.length !== 16) this.wrong('launch_id', 'must be 16 bytes');
  }
}
