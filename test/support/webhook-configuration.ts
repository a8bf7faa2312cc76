import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

export interface WebhookConfiguration {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly webhooks: readonly { readonly name: string; readonly clientConfig: object }[];
}

/** The release's configurations, their Service replaced by a server at `url`: a Service needs a pod. */
export function webhookConfigurations(url: string, caBundle: string): WebhookConfiguration[] {
  const documents = parseAllDocuments(readFileSync('charts/licensing/files/webhook.yaml', 'utf8'));
  return documents
    .map((document) => document.toJS() as WebhookConfiguration)
    .filter(({ kind }) => kind.endsWith('WebhookConfiguration'))
    .map((configuration) => ({
      ...configuration,
      webhooks: configuration.webhooks.map((webhook) => {
        const { service } = webhook.clientConfig as { service: { path: string } };
        return { ...webhook, clientConfig: { url: `${url}${service.path}`, caBundle } };
      }),
    }));
}
