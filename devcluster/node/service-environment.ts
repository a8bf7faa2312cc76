import type { Service } from './pod.ts';

/**
 * The variables a kubelet gives every container for the Services of its namespace: `REDIS_SERVICE_HOST`,
 * `REDIS_SERVICE_PORT`, `REDIS_SERVICE_PORT_<NAME>`, and the older `REDIS_PORT`, `REDIS_PORT_6379_TCP...` (which clash with what a
 * program might read, so a development cluster must not keep them away). The API server's own address stands in for the Service
 * `kubernetes`.
 */
export function serviceEnvironment(
  services: readonly Service[],
  api: { readonly host: string; readonly port: number },
  links: boolean,
): Map<string, string> {
  const variables = new Map<string, string>();
  if (links)
    for (const { metadata, spec } of services) {
      const { clusterIP, ports = [] } = spec;
      const [first] = ports;
      if (!clusterIP || clusterIP === 'None' || first === undefined) continue;
      const prefix = variableName(metadata.name ?? '');
      variables.set(`${prefix}_SERVICE_HOST`, clusterIP);
      variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
      for (const port of ports)
        if (port.name) variables.set(`${prefix}_SERVICE_PORT_${variableName(port.name)}`, String(port.port));
      for (const [name, value] of linkVariables(prefix, clusterIP, ports)) variables.set(name, value);
    }
  variables.set('KUBERNETES_SERVICE_HOST', api.host);
  variables.set('KUBERNETES_SERVICE_PORT', String(api.port));
  variables.set('KUBERNETES_SERVICE_PORT_HTTPS', String(api.port));
  return variables;
}

/** What Docker's links once set, and kubelets still do. */
function linkVariables(
  prefix: string,
  address: string,
  ports: NonNullable<Service['spec']['ports']>,
): [string, string][] {
  return ports.flatMap(({ port, protocol = 'TCP' }, index) => {
    const url = `${protocol.toLowerCase()}://${address}:${port}`;
    const own = `${prefix}_PORT_${port}_${protocol}`;
    const all: [string, string][] = [
      [own, url],
      [`${own}_PROTO`, protocol.toLowerCase()],
      [`${own}_PORT`, String(port)],
      [`${own}_ADDR`, address],
    ];
    return index === 0 ? [[`${prefix}_PORT`, url], ...all] : all;
  });
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
