import { ENCLAVE_LABEL, INJECT_LABEL, LABEL_PREFIX } from '../../names/labels.ts';
import { APP_IMAGE } from '../injection/support.ts';
import type { Attempt, Members } from './attempt.ts';
import { DRY, post } from './cluster-requests.ts';

const template = (metadata: Members, image: string): Members => ({
  metadata: { ...metadata, labels: { app: 'x', ...(metadata['labels'] as Members | undefined) } },
  spec: { containers: [{ name: 'app', image }], restartPolicy: 'Always' },
});
const deployment = (metadata: Members, of: Members): Members => ({
  metadata: { name: 'attempt', ...metadata },
  spec: { selector: { matchLabels: { app: 'x' } }, template: of },
});
const deploy = (what: string, body: unknown, says: RegExp): Attempt & { readonly says: RegExp } => ({
  ...post(what, 'admin', `/apis/apps/v1/namespaces/shop/deployments${DRY}`, body),
  says,
});
const mine = { labels: { [INJECT_LABEL]: 'enabled' } };
const cronJob = (of: Members): Members => ({
  metadata: { name: 'attempt' },
  spec: {
    schedule: '@daily',
    jobTemplate: {
      spec: { template: { ...of, spec: { ...(of['spec'] as Members), restartPolicy: 'Never' } } },
    },
  },
});

/** Templates whose pods would be refused where nobody looks. */
export const WARNED: readonly (Attempt & { readonly says: RegExp })[] = [
  deploy(
    'a launched enclave’s label',
    deployment({}, template({ labels: { [ENCLAVE_LABEL]: 'e' } }, APP_IMAGE)),
    /set by the launcher alone\. Write /,
  ),
  deploy(
    'the label on the Deployment itself',
    deployment(mine, template({}, APP_IMAGE)),
    /inject: counts on pods alone\. Write it/,
  ),
  deploy(
    'an annotation on the Deployment itself',
    deployment({ annotations: { [`${LABEL_PREFIX}mode`]: 'tcp' } }, template(mine, APP_IMAGE)),
    /mode: counts on pods alone\. Write it/,
  ),
  deploy('an image by tag', deployment({}, template(mine, 'app:1')), /not pinned by digest: app:1\. Write/),
  {
    ...deploy('a CronJob', cronJob(template(mine, 'app:2')), /not pinned by digest: app:2\. Write/),
    path: `/apis/batch/v1/namespaces/shop/cronjobs${DRY}`,
  },
  deploy('nothing, where all is well', deployment(mine, template(mine, APP_IMAGE)), /^$/),
  deploy('nothing, where there is no enclave', deployment({}, template({}, 'app:1')), /^$/),
];
