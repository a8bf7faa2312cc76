import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  certifyRequest,
  certifyResponse,
  proveRequest,
  proveResponse,
  quoteRequest,
  quoteResponse,
} from '../../formats/evidence/agent-messages.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { encodeSignedTrustDocument } from '../../formats/evidence/signed-trust-document.ts';
import type { SignedTrustDocument } from '../../formats/evidence/trust-document.ts';
import { parseCertificateRequest, verifyRequestSignature } from '../../formats/x509/certificate-request.ts';
import { agentDnsName } from '../../names/components.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import {
  authorities,
  ENCLAVE,
  NODE,
  SERVER_NAME,
  signedTrust,
  trustDocument,
  unixNow,
} from './trust-fixture.ts';

export interface FakeAgent {
  readonly host: string;
  readonly port: number;
  /** One line a request: path, peer, token, and for quotes whether the certificate came along. */
  readonly calls: { path: string; peer: string; authorization: string | undefined; certificate: boolean }[];
  /** Seconds that the next certificates last. */
  lifetime: number;
  /** Answers the next requests of these paths with 503. */
  readonly failing: Set<string>;
  /** Cuts the connection of the next requests of these paths. */
  readonly cutting: Set<string>;
  /** Milliseconds before each quote is answered. */
  slow: number;
  /** Bytes of the event log in each quote. */
  logBytes: number;
  /** Answers polls for the trust document in the agent's place. */
  trustAnswer: ((response: ServerResponse) => void) | undefined;
  /** SHA-256 of the certificates issued, in order, and of their keys. */
  readonly issued: string[];
  readonly keys: string[];
  publish(signed: SignedTrustDocument): void;
  close(): Promise<void>;
}

/** Evidence of the right shape: this agent has no TPM. What a verifier says of it is the business of other suites. */
export function evidence(statement: object, certificateChain: Uint8Array[]): Bundle {
  return {
    certificateChain,
    statement: Buffer.from(JSON.stringify(statement)),
    blinder: Buffer.alloc(32),
    leafIndex: 0,
    leafCount: 1,
    path: [],
    attest: Buffer.alloc(8),
    signature: Buffer.alloc(8),
    pcrValues: { hashAlgorithm: 0x000b, values: [{ index: 0, digest: Buffer.alloc(32) }] },
    eventLog: Buffer.alloc(0),
    attestationKeyPublic: Buffer.alloc(8),
    attestationKeyCertificateChain: [Buffer.alloc(8)],
    endpoint: '',
    serverName: '',
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An agent over real TLS, without TPM and cluster behind it: what the sidecar says and hears is the real protocol. */
export async function startFakeAgent(host: string, certificateName = agentDnsName(NODE)): Promise<FakeAgent> {
  const shown = new WeakMap<object, Uint8Array[]>();
  const waiting = new Set<{ version: number; answer: () => void }>();
  let trust = { version: 1, signed: signedTrust(trustDocument(1)) };
  const agent = {
    calls: [] as FakeAgent['calls'],
    lifetime: 600,
    failing: new Set<string>(),
    cutting: new Set<string>(),
    slow: 0,
    logBytes: 0,
    trustAnswer: undefined as FakeAgent['trustAnswer'],
    issued: [] as string[],
    keys: [] as string[],
  };
  const respond = (response: ServerResponse, status: number, body?: Uint8Array): void => {
    response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end(body);
  };

  const routes: Record<
    string,
    (body: Uint8Array, request: IncomingMessage, response: ServerResponse) => void
  > = {
    '/v1/prove': (body, _, response) => {
      const { value } = ok(proveRequest.decode(body));
      const csr = ok(parseCertificateRequest(value.certificateRequest)).value;
      if (!verifyRequestSignature(nodeCrypto, csr) || csr.attributes.evidence) return respond(response, 400);
      return respond(
        response,
        200,
        proveResponse.encode({ evidence: evidence({ spki: sha256(csr.spki) }, []) }),
      );
    },
    '/v1/certify': (body, _, response) => {
      const csr = ok(parseCertificateRequest(ok(certifyRequest.decode(body)).value.certificateRequest)).value;
      if (!verifyRequestSignature(nodeCrypto, csr) || !csr.attributes.evidence) return respond(response, 400);
      const der = authorities.enclaves.certify(csr.spki, {
        uri: ['spiffe://test/ns/n/sa/s'],
        dns: [SERVER_NAME],
        extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
        notBefore: unixNow(),
        notAfter: unixNow() + agent.lifetime,
        extensions: { enclaveBinding: { podUid: 'u', enclave: ENCLAVE, node: NODE } },
      });
      agent.issued.push(sha256(der));
      agent.keys.push(sha256(csr.spki));
      return respond(response, 200, certifyResponse.encode({ certificateChain: [der] }));
    },
    '/v1/quote': (body, request, response) => {
      const { value } = ok(quoteRequest.decode(body));
      if (value.certificateChain.length > 0) shown.set(request.socket, value.certificateChain);
      const chain = shown.get(request.socket);
      const call = agent.calls.at(-1);
      if (call) call.certificate = value.certificateChain.length > 0;
      if (chain?.[0] === undefined) return respond(response, 409);
      const statement = {
        nonce: Buffer.from(value.nonce).toString('base64url'),
        certificate: sha256(chain[0]),
      };
      const eventLog = Buffer.alloc(agent.logBytes);
      const answer = quoteResponse.encode({ evidence: { ...evidence(statement, chain), eventLog } });
      setTimeout(() => respond(response, 200, answer), agent.slow);
      return undefined;
    },
    '/v1/trust': (_, request, response) => {
      const version = Number(new URL(request.url ?? '', 'http://a').searchParams.get('version'));
      if (agent.trustAnswer) return agent.trustAnswer(response);
      const answer = () => respond(response, 200, encodeSignedTrustDocument(trust.signed));
      if (trust.version !== version) return answer();
      const entry = { version, answer };
      waiting.add(entry);
      response.once('close', () => waiting.delete(entry));
      return undefined;
    },
  };

  const credential = authorities.system.issue({ dns: [certificateName] });
  const server = createServer(serverTlsOptions({ credential }), (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { authorization } = request.headers;
      agent.calls.push({ path, peer: request.socket.remoteAddress ?? '', authorization, certificate: false });
      if (agent.cutting.has(path)) return void request.socket.destroy();
      if (agent.failing.has(path)) return respond(response, 503);
      return routes[path]?.(Buffer.concat(chunks), request, response);
    });
  });
  const cut = connectionCutter(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return Object.assign(agent, {
    host,
    port: (server.address() as AddressInfo).port,
    publish: (signed: SignedTrustDocument) => {
      trust = { version: JSON.parse(Buffer.from(signed.document).toString()).version, signed };
      for (const { answer } of [...waiting]) answer();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  });
}

function ok<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
  if (!result.ok) throw new Error(JSON.stringify(result));
  return result as Extract<T, { ok: true }>;
}
