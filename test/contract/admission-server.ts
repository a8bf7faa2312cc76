import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createCertificateAuthority } from '../../devcluster/api/certificate-authority.ts';
import type { Fields } from '../../devcluster/api/object.ts';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import type { Answered } from './api-client.ts';

/** An admission webhook that answers as a test says, and remembers what it was asked. */
export interface AdmissionServer {
  readonly url: string;
  readonly caBundle: string;
  readonly asked: Answered[];
  /** What to answer to the request of a review; `undefined`: never. */
  respond: (request: Answered) => Fields | undefined;
  close(): void;
}

export async function startAdmissionServer(): Promise<AdmissionServer> {
  const authority = await createCertificateAuthority('webhooks');
  const { certPem, keyPem } = await authority.issueServer([{ type: 'ip', value: '127.0.0.1' }]);
  const asked: Answered[] = [];
  const server = createServer({ cert: certPem, key: keyPem }, async (incoming, outgoing) => {
    let said = '';
    for await (const chunk of incoming.setEncoding('utf8')) said += chunk;
    const { request } = JSON.parse(said) as { request: Answered };
    asked.push(request);
    const answer = made.respond(request);
    if (answer === undefined) return;
    const response = { uid: request['uid'], ...answer };
    outgoing.setHeader('content-type', 'application/json');
    outgoing.end(JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response }));
  });
  const cut = connectionCutter(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const made: AdmissionServer = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/review`,
    caBundle: Buffer.from(authority.caPem).toString('base64'),
    asked,
    respond: () => ({ allowed: true }),
    close: () => {
      server.close();
      cut();
    },
  };
  return made;
}
