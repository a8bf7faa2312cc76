import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { stateText } from '../../verify/tpm-state.ts';
import { usage } from '../failure.ts';
import { heldTrust } from '../library/trust/trust.ts';
import type { NodeSeen, RefusedTpm } from '../state/node-memory.ts';
import { isoTime } from './own-credential.ts';
import { confirmName } from './terminal/confirm-name.ts';
import { trustStore, type Workspace } from './workspace.ts';

export interface AcceptFlags {
  readonly yes?: boolean;
}

/** `enclavectl trust show`: what is held against the next time. */
export async function showTrust(workspace: Workspace): Promise<void> {
  const pinned = workspace.settings.pinned();
  const store = trustStore(workspace, pinned);
  const trust = heldTrust(pinned, store);
  const { nodes, refused } = store.nodes();
  const roots = Object.fromEntries(ISSUERS.map((issuer) => [issuer, fingerprints(trust.roots, issuer)]));
  const rootsNow = rootsSha256(nodeCrypto, rootsToJson(trust.roots));
  const { version, issuedAt } = trust;
  const document = issuedAt === undefined ? undefined : { version, issuedAt };
  workspace.output.result(
    {
      ok: true,
      ...{ pinnedSha256: pinned.sha256, rootsSha256: rootsNow, roots, nodes, refused },
      ...(document && { trustDocument: document }),
    },
    [
      `pinned roots    ${pinned.sha256}`,
      `roots now       ${rootsNow === pinned.sha256 ? 'the same' : rootsNow}`,
      `trust document  ${document === undefined ? 'none yet' : `version ${version}, ${workspace.now() - document.issuedAt} s old`}`,
      ...ISSUERS.flatMap((issuer) => (roots[issuer] ?? []).map((hex) => `  ${issuer.padEnd(16)} ${hex}`)),
      ...(nodes.length === 0 ? ['no node was seen yet'] : nodes.flatMap(nodeLines)),
      ...refused.flatMap((each) => ['', ...refusedLines(each, nodes)]),
    ],
  );
}

/**
 * `enclavectl trust accept NODE`: what was refused of a node, because it had another TPM or went back, counts from now on. Exactly what was refused and is shown: whatever
 * comes afterwards is judged by it.
 */
export async function acceptTpm(workspace: Workspace, node: string, flags: AcceptFlags): Promise<void> {
  const { output } = workspace;
  const store = trustStore(workspace, workspace.settings.pinned());
  const { nodes, refused } = store.nodes();
  const offered = refused.find((each) => each.node === node);
  if (offered === undefined)
    throw usage(
      'nothing-refused',
      `nothing was refused of the node ${node} that could be accepted`,
      'enclavectl trust show shows what was; connect shows it again',
    );
  for (const line of refusedLines(offered, nodes)) output.line(line);
  if (flags.yes !== true)
    await confirmName(workspace, node, {
      prompt: `Type the node's name to accept this: `,
      remedy: 'give --yes when you know from the operator what was done to the node',
    });
  if (!(await store.accept(offered, workspace.now())))
    throw usage(
      'refused-changed',
      `what was refused of the node ${node} is no longer what was shown`,
      'look again: enclavectl trust show',
    );
  output.result({ ok: true, accepted: offered }, [
    `accepted: the node ${node} is judged by this from now on`,
  ]);
}

function fingerprints(roots: Roots, issuer: (typeof ISSUERS)[number]): string[] {
  return roots[issuer].map((der) => Buffer.from(nodeCrypto.hash('sha256', der)).toString('hex'));
}

function nodeLines({ node, ekSha256, akNames, seenAt, ...state }: NodeSeen): string[] {
  return [
    `node ${node}, last seen ${isoTime(seenAt)}`,
    `  endorsement key  ${ekSha256}`,
    `  state            ${stateText(state)}`,
    ...akNames.map((name) => `  attestation key  ${name}`),
  ];
}

function refusedLines(refused: RefusedTpm, nodes: readonly NodeSeen[]): string[] {
  const before = nodes.find(({ node }) => node === refused.node);
  const elsewhere = nodes.find(
    ({ node, ekSha256 }) => node !== refused.node && ekSha256 === refused.ekSha256,
  );
  return [
    `REFUSED of the node ${refused.node} at ${isoTime(refused.refusedAt)} (${refused.code}):`,
    `  endorsement key  ${before?.ekSha256 ?? 'none'}`,
    before?.ekSha256 === refused.ekSha256 ? '    and still that' : `    then         ${refused.ekSha256}`,
    ...(elsewhere === undefined ? [] : [`    which was seen in the node ${elsewhere.node}`]),
    `  state            ${before === undefined ? 'none' : stateText(before)}`,
    `    then         ${stateText(refused)}`,
    `  attestation key  ${refused.akName}`,
  ];
}
