import { refuse } from '../../formats/bytes/result.ts';

/** What every store says no with. */
export const storeRefusals = {
  userExists: (name: string) =>
    refuse('user-exists', `user "${name}" exists`, 'choose another name, or log in'),
  unknownUser: (name: string) => refuse('unknown-user', `there is no user "${name}"`, 'sign up first'),
  noSeat: (seats: number) =>
    refuse(
      'no-seat',
      `all ${seats} seats of the licence are taken`,
      'stop an enclave, or ask the operator for more seats',
    ),
} as const;
