/** What a cluster could leave on the machine, each as sorted lines. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mustRun } from '../../tools/cluster/command.ts';
import { CGROUP } from '../../tools/kubernetes/cluster/layout.ts';

/** Settings that change by themselves. */
const RESTLESS =
  /^(fs\.(dentry-state|file-nr|inode-nr|inode-state)|kernel\.(ns_last_pid|random\.uuid)|kernel\.pty\.nr|fs\.quota\..*|net\.netfilter\.nf_conntrack_count)\b/;
/** Of connection tracking: they are there from the first firewall on that a machine has had, and then for good. */
const TRACKING = /^net\.(netfilter\.|nf_conntrack_max)/;
/** systemd's own control groups come and go. */
const SYSTEMD = /\.(scope|service|slice)(\/|$)/;
const FOLDERS = ['/run', '/run/netns', '/var/lib', '/var/log', '/etc', '/opt'];

export type MachineState = Readonly<Record<string, readonly string[]>>;

/** @param traces of the cluster in a process: folders that its command line or its mounts name */
export async function machineState(traces: readonly string[]): Promise<MachineState> {
  const lines = async (program: string, ...args: string[]): Promise<string[]> =>
    (await mustRun(program, args)).split('\n').filter(Boolean);
  return {
    links: (await lines('ip', '-o', 'link'))
      .map((line) => line.split(':').slice(1, 2).join('').trim())
      .sort(),
    addresses: (await lines('ip', '-br', 'address')).sort(),
    routes: (await lines('ip', 'route', 'show', 'table', 'all'))
      .map((line) => line.replace(/ expires \d+sec/, ''))
      .sort(),
    'network namespaces': (await lines('ip', 'netns', 'list')).sort(),
    firewall: await lines('nft', 'list', 'ruleset'),
    sysctls: (await lines('sysctl', '-a')).filter((line) => !RESTLESS.test(line)).sort(),
    cgroups: (await lines('find', '/sys/fs/cgroup', '-type', 'd'))
      .filter((path) => path.includes(CGROUP) || !SYSTEMD.test(path))
      .sort(),
    'passed on by the root cgroup': contents('/sys/fs/cgroup/cgroup.subtree_control').split(/\s+/).sort(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ').slice(3).join(' '))
      .sort(),
    folders: FOLDERS.flatMap((folder) => names(folder).map((name) => `${folder}/${name}`)).sort(),
    processes: processesWith(traces),
  };
}

/** Members that are not the same, each with the lines that came (+) and went (-). */
export function differences(before: MachineState, after: MachineState): string[] {
  return Object.entries(before).flatMap(([name, lines]) => {
    const now = (after[name] ?? []).filter(
      (line) => name !== 'sysctls' || !TRACKING.test(line) || lines.some((each) => TRACKING.test(each)),
    );
    return [
      ...now.filter((line) => !lines.includes(line)).map((line) => `${name}: + ${line}`),
      ...lines.filter((line) => !now.includes(line)).map((line) => `${name}: - ${line}`),
    ];
  });
}

/** Living processes whose command line or mounts name one of these folders, but not this one and its kin. */
function processesWith(traces: readonly string[]): string[] {
  const own = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const elsewhere = readlinkSync(`/proc/${pid}/ns/mnt`) !== own;
        const mounts = elsewhere ? readFileSync(`/proc/${pid}/mountinfo`, 'utf8') : '';
        return traces.some((trace) => command.includes(trace) || mounts.includes(trace))
          ? [`${pid} ${command}`]
          : [];
      } catch {
        return [];
      }
    });
}

/** Empty where there is no such file: control groups of version 1. */
function contents(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
