/**
 * Why a launch, or what a launched enclave was asked for, came to nothing. One union for front and launcher: the launcher says most of
 * them, front keeps them in its store and tells them to the user.
 */
const LAUNCH_CODES = [
  'profile-unknown',
  'profile-invalid',
  'pod-refused',
  'pod-differs',
  'sidecar-missing',
  'sidecar-differs',
  'image-unavailable',
  'container-unstartable',
  'crash-loop',
  'pod-ended',
  'pod-gone',
  'certificate-denied',
  'not-isolated',
  'evidence-refused',
  'evidence-unavailable',
  'user-certificate-denied',
  'revocation-refused',
  'launch-timeout',
  'launch-unattended',
  'launch-stopped',
] as const;
export type LaunchCode = (typeof LAUNCH_CODES)[number];

export function isLaunchCode(code: string): code is LaunchCode {
  return (LAUNCH_CODES as readonly string[]).includes(code);
}

/** What a person can do about each. */
export const LAUNCH_REMEDIES: Readonly<Record<LaunchCode, string>> = {
  'profile-unknown': 'ask the operator for the profile, or use one of those published',
  'profile-invalid': 'ask the operator to mend the profile',
  'pod-refused': 'the reason is in the cluster’s own words: ask the operator',
  'pod-differs': 'launch again: the profile changed while this launch was under way',
  'sidecar-missing': 'ask the operator whether the namespace is labelled and the webhook runs',
  'sidecar-differs': 'ask the operator whether webhook and launcher are of one release',
  'image-unavailable': 'ask the operator whether the profile’s image can be pulled',
  'container-unstartable': 'ask the operator to look at the profile and the node',
  'crash-loop': 'look at what the app said before it ended',
  'pod-ended': 'launch again',
  'pod-gone': 'launch again',
  'certificate-denied': 'ask the operator: the certificate service refused the enclave',
  'not-isolated':
    'let the app listen on 127.0.0.1 or a unix: socket, or ask the operator for a network policy',
  'evidence-refused': 'launch again; ask the operator when it happens each time',
  'evidence-unavailable': 'try again in a few seconds; ask the operator to look at the node’s TPM and agent',
  'user-certificate-denied': 'use the owner key of this enclave, or a grant signed by it',
  'revocation-refused':
    'sign it with the owner key of an enclave that runs, and let it last as long as the grant',
  'launch-timeout': 'launch again; ask the operator when it happens each time',
  'launch-unattended': 'launch again and wait for the result',
  'launch-stopped': 'launch again when it was stopped by mistake',
};
