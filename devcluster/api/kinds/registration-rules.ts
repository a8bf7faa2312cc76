import { type Cause, causes } from '../api-error.ts';
import { dig, ensure, isFields, items, type KubeObject, text, texts } from '../object.ts';
import { type KindRules, specOf } from '../rules.ts';

const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];

/** Defaults of webhooks (`pkg/apis/admissionregistration/v1/defaults.go`). */
function defaultWebhooks(configuration: KubeObject, mutating: boolean): void {
  for (const webhook of items(configuration['webhooks'])) {
    webhook['failurePolicy'] ??= 'Fail';
    webhook['matchPolicy'] ??= 'Equivalent';
    webhook['namespaceSelector'] ??= {};
    webhook['objectSelector'] ??= {};
    webhook['timeoutSeconds'] ??= 10;
    if (mutating) webhook['reinvocationPolicy'] ??= 'Never';
    const service = dig(webhook, 'clientConfig', 'service');
    if (isFields(service)) service['port'] ??= 443;
    for (const rule of items(webhook['rules'])) rule['scope'] ??= '*';
  }
}

function validateWebhooks(configuration: KubeObject): Cause[] {
  return items(configuration['webhooks']).flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const found: Cause[] = [];
    if (text(webhook['name']).split('.').length < 3)
      found.push(
        causes.invalid(
          `${at}.name`,
          webhook['name'],
          'should be a domain with at least three segments separated by dots',
        ),
      );
    if (!SIDE_EFFECTS.includes(text(webhook['sideEffects'])))
      found.push(causes.notSupported(`${at}.sideEffects`, webhook['sideEffects'], SIDE_EFFECTS));
    if (!texts(webhook['admissionReviewVersions']).includes('v1'))
      found.push(
        causes.invalid(
          `${at}.admissionReviewVersions`,
          webhook['admissionReviewVersions'],
          'must include at least one of v1, v1beta1',
        ),
      );
    const seconds = Number(webhook['timeoutSeconds']);
    if (seconds < 1 || seconds > 30)
      found.push(
        causes.invalid(`${at}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'),
      );
    const url = dig(webhook, 'clientConfig', 'url');
    const service = dig(webhook, 'clientConfig', 'service');
    if ((url === undefined) === (service === undefined))
      found.push(causes.required(`${at}.clientConfig`, 'exactly one of url or service is required'));
    if (url !== undefined && !text(url).startsWith('https://'))
      found.push(causes.invalid(`${at}.clientConfig.url`, url, "'https' is the only allowed URL scheme"));
    return found;
  });
}

export const MUTATING_RULES: KindRules = {
  defaults: (configuration) => defaultWebhooks(configuration, true),
  validate: validateWebhooks,
};
export const VALIDATING_RULES: KindRules = {
  defaults: (configuration) => defaultWebhooks(configuration, false),
  validate: validateWebhooks,
};

/** Stored, and (for want of CEL) never evaluated. */
export const POLICY_RULES: KindRules = {
  defaults: (policy) => {
    const spec = specOf(policy);
    spec['failurePolicy'] ??= 'Fail';
    defaultMatch(spec['matchConstraints']);
  },
};
export const POLICY_BINDING_RULES: KindRules = {
  defaults: (binding) => defaultMatch(specOf(binding)['matchResources']),
};

function defaultMatch(match: unknown): void {
  if (!isFields(match)) return;
  match['matchPolicy'] ??= 'Equivalent';
  ensure(match, 'namespaceSelector');
  ensure(match, 'objectSelector');
  for (const list of ['resourceRules', 'excludeResourceRules'])
    for (const rule of items(match[list])) rule['scope'] ??= '*';
}

export const NETWORK_POLICY_RULES: KindRules = {
  defaults: (policy) => {
    const spec = specOf(policy);
    spec['policyTypes'] ??= ['Ingress', ...(spec['egress'] === undefined ? [] : ['Egress'])];
    for (const rule of [...items(spec['ingress']), ...items(spec['egress'])])
      for (const port of items(rule['ports'])) port['protocol'] ??= 'TCP';
  },
};
