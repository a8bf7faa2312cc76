import { ensure, type Fields, fields, isFields, items, type KubeObject } from '../object.ts';
import { specOf } from '../rules.ts';

const FILE_MODE = 0o644;

/** What kube-apiserver fills into a Pod (`pkg/apis/core/v1/defaults.go`): it runs on decoding and again after admission. */
export function defaultPod(pod: KubeObject): void {
  const spec = specOf(pod);
  // One name, two fields: the old one follows the new one.
  const account = spec['serviceAccountName'] ?? spec['serviceAccount'];
  if (account !== undefined) {
    spec['serviceAccountName'] = account;
    spec['serviceAccount'] = account;
  }
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['restartPolicy'] ??= 'Always';
  spec['securityContext'] ??= {};
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['schedulerName'] ??= 'default-scheduler';
  spec['enableServiceLinks'] ??= true;
  for (const volume of items(spec['volumes'])) defaultVolume(volume);
  for (const container of containersOf(spec)) defaultContainer(container, spec['hostNetwork'] === true);
}

export function containersOf(spec: Fields): Fields[] {
  return [...items(spec['initContainers']), ...items(spec['containers'])];
}

function defaultContainer(container: Fields, hostNetwork: boolean): void {
  const image = String(container['image'] ?? '');
  container['imagePullPolicy'] ??= isLatest(image) ? 'Always' : 'IfNotPresent';
  container['terminationMessagePath'] ??= '/dev/termination-log';
  container['terminationMessagePolicy'] ??= 'File';
  for (const port of items(container['ports'])) {
    port['protocol'] ??= 'TCP';
    if (hostNetwork) port['hostPort'] ??= port['containerPort'];
  }
  for (const variable of items(container['env'])) {
    const valueFrom = fields(variable['valueFrom']);
    if (isFields(valueFrom['fieldRef'])) valueFrom['fieldRef']['apiVersion'] ??= 'v1';
    if (isFields(valueFrom['resourceFieldRef'])) valueFrom['resourceFieldRef']['divisor'] ??= '0';
  }
  const resources = ensure(container, 'resources');
  if (isFields(resources['limits']))
    resources['requests'] = { ...resources['limits'], ...fields(resources['requests']) };
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    if (isFields(container[name])) defaultProbe(container[name]);
  for (const hook of Object.values(fields(container['lifecycle']))) defaultHttpGet(fields(hook)['httpGet']);
}

/** Without tag and digest an image is `:latest`. */
function isLatest(image: string): boolean {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.endsWith(':latest') || !/[:@]/.test(name);
}

function defaultProbe(probe: Fields): void {
  probe['timeoutSeconds'] ??= 1;
  probe['periodSeconds'] ??= 10;
  probe['successThreshold'] ??= 1;
  probe['failureThreshold'] ??= 3;
  defaultHttpGet(probe['httpGet']);
  if (isFields(probe['grpc'])) probe['grpc']['service'] ??= '';
}

function defaultHttpGet(httpGet: unknown): void {
  if (!isFields(httpGet)) return;
  httpGet['path'] ??= '/';
  httpGet['scheme'] ??= 'HTTP';
}

function defaultVolume(volume: Fields): void {
  if (Object.keys(volume).every((name) => name === 'name')) volume['emptyDir'] = {};
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected'])
    if (isFields(volume[source])) volume[source]['defaultMode'] ??= FILE_MODE;
  if (isFields(volume['hostPath'])) volume['hostPath']['type'] ??= '';
  const projected = items(fields(volume['projected'])['sources']);
  for (const source of projected)
    if (isFields(source['serviceAccountToken'])) source['serviceAccountToken']['expirationSeconds'] ??= 3600;
  for (const source of [volume, ...projected])
    for (const item of items(fields(source['downwardAPI'])['items'])) {
      if (isFields(item['fieldRef'])) item['fieldRef']['apiVersion'] ??= 'v1';
      if (isFields(item['resourceFieldRef'])) item['resourceFieldRef']['divisor'] ??= '0';
    }
}
