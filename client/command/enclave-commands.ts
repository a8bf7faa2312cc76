import { type Enclave, EnclaveState } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { Failure } from '../failure.ts';
import { challenge, judgeEvidence } from '../library/evidence/judge-evidence.ts';
import { keySha256 } from '../library/front/owner-key.ts';
import { plainTable } from './terminal/plain-table.ts';
import { printVerdict, verdictObject } from './terminal/print-verdict.ts';
import { refusalObject, refusedEvidence } from './terminal/refused-evidence.ts';
import { enclaves, newestTrust, requireSession, trustStore, type Workspace, withFront } from './workspace.ts';

const STATES: ReadonlyMap<number, string> = new Map(
  Object.entries(EnclaveState).map(([name, value]) => [
    value,
    name.replace('ENCLAVE_STATE_', '').toLowerCase(),
  ]),
);

function stateName(state: number): string {
  return STATES.get(state) ?? 'unknown';
}

/** An enclave as `--json` shows it. */
function shown(enclave: Enclave): object {
  const { state, phase: _phase, createdAt, ...rest } = enclave;
  return { ...rest, state: stateName(state), createdAt: createdAt?.toISOString() ?? null };
}

/** `enclavectl ls`: every enclave of the user, page by page. */
export async function list(workspace: Workspace, { all }: { readonly all?: boolean }): Promise<void> {
  await withFront(workspace, async (client, pinned) => {
    const { token } = requireSession(workspace, pinned);
    const found: Enclave[] = [];
    let pageToken = '';
    do {
      const page = await client.listEnclaves(
        { pageSize: 100, pageToken },
        { token, signal: workspace.signal },
      );
      found.push(...page.enclaves);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    const ended: number[] = [EnclaveState.ENCLAVE_STATE_STOPPED, EnclaveState.ENCLAVE_STATE_FAILED];
    const rows = all ? found : found.filter(({ state }) => !ended.includes(state));
    const head = ['ENCLAVE', 'PROFILE', 'STATE', 'ENDPOINT', 'CREATED', 'REASON'];
    const cells = rows.map((each) => [
      each.id,
      each.profile,
      stateName(each.state),
      each.endpoint || '-',
      each.createdAt?.toISOString() ?? '-',
      each.reason,
    ]);
    const lines = rows.length === 0 ? ['no enclaves'] : plainTable(head, cells);
    workspace.output.result({ ok: true, enclaves: rows.map(shown) }, lines);
  });
}

/** `enclavectl status ID`: where it stands; with `--verify` also fresh evidence by way of the server, and its verdict. */
export async function status(
  workspace: Workspace,
  id: string,
  flags: { readonly verify?: boolean },
): Promise<void> {
  const { output, settings, signal } = workspace;
  const policy = flags.verify ? settings.policy() : undefined;
  await withFront(workspace, async (client, pinned) => {
    const { token } = requireSession(workspace, pinned);
    const store = trustStore(workspace, pinned);
    const trust = policy === undefined ? undefined : await newestTrust(workspace, client, pinned);
    const asked = policy === undefined ? undefined : challenge(store);
    const { enclave, bundle } = await client.getEnclave(
      { id, nonce: Buffer.from(asked?.nonce ?? []) },
      { token, signal },
    );
    if (enclave === undefined)
      throw new Failure('fault', 'answer-empty', 'the server sent no enclave', 'try again');
    const lines = [
      `enclave  ${enclave.id}`,
      `profile  ${enclave.profile}`,
      `state    ${stateName(enclave.state)}${enclave.reason === '' ? '' : `: ${enclave.reason}`}`,
      ...(enclave.endpoint === '' ? [] : [`endpoint ${enclave.endpoint} (${enclave.serverName})`]),
    ];
    if (policy === undefined || asked === undefined || trust === undefined) {
      output.result({ ok: true, enclave: shown(enclave) }, lines);
      return;
    }
    if (bundle === undefined)
      throw new Failure(
        'unreachable',
        'evidence-missing',
        `there is no evidence of the enclave ${id}, which is ${stateName(enclave.state)}`,
        'try again when it is ready',
      );
    const key = enclaves(workspace).key(id);
    const expected = { policy, trust, now: workspace.now(), enclave: id };
    const judged = await judgeEvidence(
      bundle,
      asked,
      { ...expected, ...(key && { ownerKeySha256: keySha256(key) }) },
      store,
    );
    const { verdict } = judged;
    for (const each of judged.notices) output.notice(each);
    printVerdict(output, verdict);
    const refusal = verdict.ok ? undefined : refusedEvidence(judged);
    output.result(
      {
        ...(refusal === undefined ? { ok: true } : refusalObject(refusal)),
        ...{ enclave: shown(enclave), verdict: verdictObject(verdict) },
      },
      lines,
    );
    if (refusal !== undefined) throw refusal;
    enclaves(workspace).saveBundle(id, bundle);
  });
}

/** `enclavectl stop ID`: ends it; its key, certificate and bundle are removed here unless `--keep`. */
export async function stop(
  workspace: Workspace,
  id: string,
  flags: { readonly keep?: boolean },
): Promise<void> {
  await withFront(workspace, async (client, pinned) => {
    const { token } = requireSession(workspace, pinned);
    const { enclave } = await client.stopEnclave(
      { id },
      { token, signal: workspace.signal, timeoutMs: 60_000 },
    );
    const state = stateName(enclave?.state ?? 0);
    if (flags.keep !== true && state === 'stopped') enclaves(workspace).remove(id);
    workspace.output.result({ ok: true, ...(enclave && { enclave: shown(enclave) }) }, [
      `enclave ${id} is ${state}`,
    ]);
  });
}
