import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { metaLabel } from './pod-discovery.ts';

/** Job of the release's pods. */
export const COMPONENTS = 'components';
/** Job of the enclaves' sidecars, as docs/operating.md has it. */
export const SIDECARS = 'enclave-sidecars';

/**
 * What Prometheus is told: the rules as they stand, sidecars by the job that docs/operating.md hands out, components by their annotations, as whoever scrapes by
 * annotations does. Pods come from `discovery` (podDiscovery).
 */
export function prometheusConfig(discovery: string): object {
  const http_sd_configs = [{ url: discovery, refresh_interval: '2s' }];
  const { kubernetes_sd_configs, ...sidecars } = documentedJob();
  if (JSON.stringify(kubernetes_sd_configs) !== '[{"role":"pod"}]')
    throw new Error(`docs/operating.md: ${SIDECARS} discovers other things than pods`);
  return {
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '2s' },
    rule_files: [resolve('charts/licensing/files/alerts.yaml')],
    scrape_configs: [
      { ...sidecars, http_sd_configs },
      { job_name: COMPONENTS, http_sd_configs, relabel_configs: byAnnotations() },
    ],
  };
}

function documentedJob(): Record<string, unknown> {
  const blocks = readFileSync('docs/operating.md', 'utf8').matchAll(/^```yaml\n(.*?)^```/gms);
  const jobs = [...blocks].flatMap(([, body = '']) => {
    const value: unknown = parse(body);
    return Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
  });
  const job = jobs.find((each) => each['job_name'] === SIDECARS);
  if (job === undefined) throw new Error(`docs/operating.md hands out no job ${SIDECARS}`);
  return job;
}

function byAnnotations(): object[] {
  const annotation = (name: string): string => metaLabel('annotation', `prometheus.io/${name}`);
  return [
    { source_labels: [annotation('scrape')], regex: 'true', action: 'keep' },
    {
      source_labels: ['__meta_kubernetes_pod_phase'],
      regex: 'Pending|Succeeded|Failed|Completed',
      action: 'drop',
    },
    { source_labels: [annotation('path')], regex: '(.+)', target_label: '__metrics_path__' },
    {
      source_labels: ['__address__', annotation('port')],
      regex: '([^:]+)(?::\\d+)?;(\\d+)',
      replacement: '$1:$2',
      target_label: '__address__',
    },
  ];
}
