import { ATTRIBUTE_WORDS, type describeBundle } from '../../library/bundle/describe-bundle.ts';

type Described = ReturnType<typeof describeBundle>;

/** A bundle for a person: a heading a part, each saying that nothing of it was verified. */
export function bundleLines(described: Described): string[] {
  const { endpoint, serverName, batch, attestationKey, pcrValues, statement } = described;
  const attributes = 'attributes' in attestationKey ? attestationKey.attributes : {};
  const key = Object.fromEntries(Object.entries(attestationKey).filter(([name]) => name !== 'attributes'));
  return [
    'This is what the bundle says. Nothing of it was verified: enclavectl verify does that.',
    ...part('where', { endpoint, serverName }),
    ...described.certificates.flatMap((each) => part('enclave certificate', each)),
    ...part('batch', { leaf: `${batch.leaf} of ${batch.of}`, path: `${batch.pathHashes} hashes` }),
    ...part('quote (TPMS_ATTEST)', described.quote),
    ...part('signature (TPMT_SIGNATURE)', described.signature),
    ...part('attestation key (TPMT_PUBLIC)', key),
    ...Object.entries(attributes).map(([name, set]) => attributeLine(name, set === true)),
    ...described.attestationKeyCertificates.flatMap((each) => part('attestation key certificate', each)),
    ...part('PCR values', pcrValues),
    ...part('event log', { bytes: described.eventLogBytes }),
    heading('statement'),
    ...statementLines(statement),
  ];
}

function heading(title: string): string {
  return `${title}, unverified`;
}

function part(title: string, members: object): string[] {
  return [heading(title), ...Object.entries(members).flatMap(([name, value]) => memberLines(name, value))];
}

function memberLines(name: string, value: unknown): string[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).map(([inner, each]) => line(`${name}.${inner}`, each));
  return [line(name, value)];
}

function line(name: string, value: unknown): string {
  const text = Array.isArray(value) ? value.join(', ') : `${value ?? 'none'}`;
  return `  ${name.padEnd(24)} ${text === '' ? 'none' : text}`;
}

function attributeLine(name: string, set: boolean): string {
  const words = Object.entries(ATTRIBUTE_WORDS).find(([each]) => each === name)?.[1] ?? ['', ''];
  return `  ${(set ? name : `not ${name}`).padEnd(24)} ${words[set ? 0 : 1]}`;
}

/** Each line is marked, so that a text of the prover's cannot pass for one of ours. */
function statementLines(statement: Described['statement']): string[] {
  const marked = (text: string) => text.split('\n').map((each) => `  | ${each}`);
  return 'claims' in statement
    ? marked(JSON.stringify(statement.claims, null, 2))
    : [line('unreadable', statement.unreadable), ...marked(statement.text)];
}
