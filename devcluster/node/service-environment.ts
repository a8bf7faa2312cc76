import type { Service } from './pod.ts';

/**
 * The variables a kubelet gives every container for the Services of its namespace (`REDIS_SERVICE_HOST`,
 * `REDIS_SERVICE_PORT`, `REDIS_SERVICE_PORT_<NAME>`), and for the API server, whose address stands in for the
 * Service `kubernetes`.
 */
export function serviceEnvironment(
  services: readonly Service[],
  api: { readonly host: string; readonly port: number },
  links: boolean,
): Map<string, string> {
  const variables = new Map<string, string>();
  if (links)
    for (const { metadata, spec } of services) {
      const [first] = spec.ports ?? [];
      if (!spec.clusterIP || spec.clusterIP === 'None' || first === undefined) continue;
      const prefix = (metadata.name ?? '').toUpperCase().replaceAll('-', '_');
      variables.set(`${prefix}_SERVICE_HOST`, spec.clusterIP);
      variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
      for (const port of spec.ports ?? [])
        if (port.name)
          variables.set(
            `${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`,
            String(port.port),
          );
    }
  variables.set('KUBERNETES_SERVICE_HOST', api.host);
  variables.set('KUBERNETES_SERVICE_PORT', String(api.port));
  variables.set('KUBERNETES_SERVICE_PORT_HTTPS', String(api.port));
  return variables;
}
