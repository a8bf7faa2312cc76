/**
 * What in a pod breaks the Pod Security Standard `restricted` (kubernetes.io, Concepts, Security, Pod Security Standards; with the
 * baseline that it includes), for Linux pods. Written from that page alone: it knows nothing of injection. On a real kube-apiserver
 * test/injection/golden-admission.test.ts compares it with the standard that is built in.
 */
type Members = Readonly<Record<string, unknown>>;

const BASELINE_CAPABILITIES =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT';
const VOLUMES = 'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret';
const SELINUX_TYPES = ' container_t container_init_t container_kvm_t container_engine_t';
const SYSCTLS =
  'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_unprivileged_port_start net.ipv4.tcp_syncookies ' +
  'net.ipv4.ping_group_range net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout ' +
  'net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem';
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const HANDLERS = ['httpGet', 'tcpSocket'];

const oneOf = (words: string, value: unknown): boolean => words.split(' ').includes(String(value));
const members = (value: unknown): Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
const list = (value: unknown): readonly Members[] => (Array.isArray(value) ? value.map(members) : []);
const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
const absent = (value: unknown): boolean => value === undefined || value === null;

/** What pod and container may both say, each of it on its own. */
function* ofContext(context: Members): Generator<string> {
  const { type, user, role } = members(context['seLinuxOptions']);
  if (!absent(type) && !oneOf(SELINUX_TYPES, type)) yield 'seLinuxOptions.type';
  if (user || role) yield 'seLinuxOptions.user or role';
  const appArmor = members(context['appArmorProfile'])['type'];
  if (!absent(appArmor) && !oneOf('RuntimeDefault Localhost', appArmor)) yield 'appArmorProfile';
  const seccomp = members(context['seccompProfile'])['type'];
  if (!absent(seccomp) && !oneOf('RuntimeDefault Localhost', seccomp)) yield 'seccompProfile';
  if (members(context['windowsOptions'])['hostProcess'] === true) yield 'windowsOptions.hostProcess';
  if (context['runAsUser'] === 0) yield 'runAsUser';
}

/** Hosts that a kubelet would be sent to. */
function* ofHooks(container: Members): Generator<string> {
  const lifecycle = members(container['lifecycle']);
  const hooks = [
    ...PROBES.map((name) => container[name]),
    ...['postStart', 'preStop'].map((name) => lifecycle[name]),
  ];
  for (const hook of hooks)
    for (const handler of HANDLERS)
      if (members(members(hook)[handler])['host']) yield 'a probe or hook with a host';
}

function* ofContainer(container: Members, pod: Members): Generator<string> {
  const context = members(container['securityContext']);
  yield* ofContext(context);
  yield* ofHooks(container);
  if (context['privileged'] === true) yield 'privileged';
  if (!absent(context['procMount']) && context['procMount'] !== 'Default') yield 'procMount';
  if (list(container['ports']).some(({ hostPort }) => hostPort)) yield 'hostPort';
  const { add, drop } = members(context['capabilities']);
  if (texts(add).some((each) => !oneOf(BASELINE_CAPABILITIES, each)))
    yield 'capabilities beyond the baseline';
  if (texts(add).some((each) => each !== 'NET_BIND_SERVICE')) yield 'capabilities.add';
  if (!texts(drop).includes('ALL')) yield 'capabilities.drop';
  if (context['allowPrivilegeEscalation'] !== false) yield 'allowPrivilegeEscalation';
  const nonRoot = absent(context['runAsNonRoot']) ? pod['runAsNonRoot'] : context['runAsNonRoot'];
  if (nonRoot !== true) yield 'runAsNonRoot';
  if (absent(context['seccompProfile']) && absent(pod['seccompProfile'])) yield 'seccompProfile is missing';
}

function* ofPod(metadata: Members, spec: Members): Generator<string> {
  const context = members(spec['securityContext']);
  for (const flag of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[flag] === true) yield flag;
  for (const [name, value] of Object.entries(members(metadata['annotations'])))
    if (name.startsWith('container.apparmor.security.beta.kubernetes.io/'))
      if (value !== 'runtime/default' && !String(value).startsWith('localhost/')) yield 'AppArmor annotation';
  yield* ofContext(context);
  if (list(context['sysctls']).some(({ name }) => !oneOf(SYSCTLS, name))) yield 'sysctls';
  for (const volume of list(spec['volumes']))
    for (const [kind, source] of Object.entries(volume))
      if (kind !== 'name' && !absent(source) && !oneOf(VOLUMES, kind)) yield `volume ${kind}`;
  for (const kind of ['initContainers', 'containers', 'ephemeralContainers'])
    for (const container of list(spec[kind]))
      for (const breach of ofContainer(container, context)) yield `${kind} ${container['name']}: ${breach}`;
}

/** Empty when the pod keeps the standard. */
export function breachesOfRestricted(pod: object): string[] {
  const { metadata, spec } = pod as Members;
  return [...ofPod(members(metadata), members(spec))];
}
