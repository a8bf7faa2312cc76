import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';
import { timeOf } from './time.ts';

/** Seconds. Evidence and tokens allow for little more. */
const TOLERATED_S = 5;
const SERIOUS_S = 30;
/** A kubelet renews its lease every ten seconds. */
const LATE_S = 60;

/** Clocks beside the API server's: this machine's, each node's (by its kubelet's lease), each leader's. */
export function checkClocks(snapshot: Snapshot, notes: Notes): void {
  const { date, asked, roundTripMs } = snapshot.server;
  if (date === undefined) {
    notes.value('clocks', { ok: false, reason: 'failed', message: 'the API server sends no Date' });
    return;
  }
  // The header has whole seconds.
  const server = date + 500;
  const unsure = 500 + roundTripMs / 2;
  tell(notes, 'this machine', (asked - server) / 1000, unsure / 1000);
  const nodes = notes.optional('leases in kube-node-lease', snapshot.nodeLeases) ?? [];
  for (const { metadata, spec } of nodes)
    judgeLease(notes, `node ${metadata?.name}`, spec?.renewTime, server);
  for (const { metadata, spec } of snapshot.leases.ok ? snapshot.leases.value : []) {
    // Behind, or not renewed: that is told of leaders.
    const ahead = (timeOf(spec?.renewTime) ?? 0) - server;
    if (ahead > 0)
      tell(notes, `the machine of who holds Lease ${metadata?.name}`, ahead / 1000, unsure / 1000);
  }
  notes.saw(`this machine, ${nodes.length} nodes and the leaders within ${TOLERATED_S} s of the API server`);
}

function judgeLease(notes: Notes, about: string, renewTime: string | undefined, server: number): void {
  const renewed = timeOf(renewTime);
  if (renewed === undefined) return;
  const apart = (renewed - server) / 1000;
  if (apart > 0) tell(notes, about, apart, 1);
  else if (apart < -LATE_S)
    notes.warning('clock-differs', {
      about,
      what: `its kubelet last wrote its lease ${Math.round(-apart)} s ago by the API server's clock`,
      why: 'Either the kubelet is away, or the node’s clock is behind.',
      remedy: 'kubectl get nodes; on the node: timedatectl, and systemctl status kubelet',
    });
}

function tell(notes: Notes, about: string, apartSeconds: number, unsureSeconds: number): void {
  const apart = Math.abs(apartSeconds) - unsureSeconds;
  if (apart <= TOLERATED_S) return;
  const said = {
    about,
    what: `its clock is about ${Math.round(Math.abs(apartSeconds))} s ${apartSeconds > 0 ? 'ahead of' : 'behind'} the API server's`,
    why: 'Certificates, tokens and evidence are judged by time: what is new is refused, or what is over is taken.',
    remedy: 'let chrony or systemd-timesyncd keep the clock: timedatectl status',
  };
  if (apart > SERIOUS_S) notes.problem('clock-differs', said);
  else notes.warning('clock-differs', said);
}
