/** The worked example of docs/evidence-format.md: one published vector, taken apart byte by byte. */
import { concat, toHex } from '../formats/bytes/bytes.ts';
import { leafHash, qualifyingData, rootFromPath } from '../formats/evidence/batch.ts';
import { type Bundle, bundleFromJson, encodeBundle } from '../formats/evidence/bundle.ts';
import { decodeAttest } from '../formats/tpm/attest.ts';
import { decodePublic, objectName, primaryQualifiedName } from '../formats/tpm/public.ts';
import { parseCertificate } from '../formats/x509/certificate.ts';
import { DerReader } from '../formats/x509/der-reader.ts';
import { constructedTag } from '../formats/x509/der-tags.ts';
import { OID_ENCLAVE_BINDING, OID_TPM_TRUST } from '../names/oids.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';

const BEGIN = '<!-- Generated from test/vectors/evidence/good.json by `make generate`. DO NOT EDIT. -->';
const END = '<!-- End of what is generated. -->';
const COLUMNS = 32;
const LABEL = 20;

/** The page with its generated part made anew. @throws RangeError when the page lacks the marks */
export function withEvidenceExample(page: string, vector: { readonly bundle: object }): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new RangeError('the page has no place for the example');
  const bundle = bundleFromJson(JSON.stringify(vector.bundle));
  if (!bundle.ok) throw new RangeError(bundle.message);
  return `${page.slice(0, begin)}${BEGIN}\n\n${example(bundle.value)}\n${page.slice(end)}`;
}

function example(bundle: Bundle): string {
  const { statement, blinder, leafIndex, leafCount, path } = bundle;
  const leaf = leafHash(nodeCrypto, statement, blinder);
  const root = rootFromPath(nodeCrypto, leaf, leafIndex, leafCount, path);
  if (!root) throw new RangeError('the path does not fit');
  const sections: [string, string][] = [
    ['The bundle in Protocol Buffers: key and length of each field, then its content', bundleRows(bundle)],
    [`The statement, ${statement.length} bytes`, wrapped(new TextDecoder().decode(statement))],
    [
      `The batch: leaf ${leafIndex} of ${leafCount}`,
      [
        row('blinder', blinder),
        row('leaf', leaf),
        ...path.map((hash, i) => row(`path[${i}]`, hash)),
        row('root', root),
        row('qualifyingData', qualifyingData(nodeCrypto, leafCount, root)),
      ].join('\n'),
    ],
    ['TPMS_ATTEST', attestRows(bundle.attest)],
    ['TPMT_SIGNATURE', cut(bundle.signature, ECDSA_SIGNATURE)],
    ['TPMT_PUBLIC and its names', `${cut(bundle.attestationKeyPublic, ECC_PUBLIC)}\n${nameRows(bundle)}`],
    ['PCR values', pcrRows(bundle)],
    ['Certificates', certificateRows(bundle)],
  ];
  const text = sections.map(([title, lines]) => `${title}:\n\n\`\`\`\n${lines}\n\`\`\`\n`).join('\n');
  return `\`test/vectors/evidence/good.json\`, taken apart. Verified at its \`context.now\`, by its roots and policy, every check holds.\n\n${text}`;
}

/** One labelled value, 32 bytes a line. */
function row(label: string, bytes: Uint8Array, most = Number.POSITIVE_INFINITY): string {
  const hex = toHex(bytes.subarray(0, most));
  const lines = hex.match(new RegExp(`.{1,${2 * COLUMNS}}`, 'g')) ?? ['(empty)'];
  const more = bytes.length > most ? ` ... (${bytes.length} bytes)` : '';
  return lines
    .map((line, i) => `${(i === 0 ? label : '').padEnd(LABEL)} ${line}`)
    .join('\n')
    .concat(more);
}

function wrapped(text: string): string {
  return (text.match(/.{1,110}/g) ?? []).join('\n');
}

/** A field of so many bytes, or one behind its own length in 16 bits. */
type Field = readonly [label: string, bytes: number | 'sized'];

const ECDSA_SIGNATURE: readonly Field[] = [
  ['sigAlg', 2],
  ['hash', 2],
  ['r', 'sized'],
  ['s', 'sized'],
];
const ECC_PUBLIC: readonly Field[] = [
  ['type', 2],
  ['nameAlg', 2],
  ['objectAttributes', 4],
  ['authPolicy', 'sized'],
  ['symmetric', 2],
  ['scheme', 2],
  ['scheme, hash', 2],
  ['curveID', 2],
  ['kdf', 2],
  ['unique.x', 'sized'],
  ['unique.y', 'sized'],
];
const QUOTE: readonly Field[] = [
  ['magic', 4],
  ['type', 2],
  ['qualifiedSigner', 'sized'],
  ['extraData', 'sized'],
  ['clock', 8],
  ['resetCount', 4],
  ['restartCount', 4],
  ['safe', 1],
  ['firmwareVersion', 8],
  ['pcrSelect.count', 4],
  ['hash', 2],
  ['sizeofSelect', 1],
  ['pcrSelect', 3],
  ['pcrDigest', 'sized'],
];

/** Bytes cut into fields; @throws RangeError unless the fields are all of them */
function cut(bytes: Uint8Array, fields: readonly Field[]): string {
  let at = 0;
  const rows = fields.flatMap(([label, size]) => {
    const length = size === 'sized' ? new DataView(bytes.buffer, bytes.byteOffset + at).getUint16(0) : size;
    const prefix = size === 'sized' ? [row(`${label}.size`, bytes.subarray(at, at + 2))] : [];
    if (size === 'sized') at += 2;
    at += length;
    if (at > bytes.length) throw new RangeError(`${label} is cut off`);
    return length === 0 ? prefix : [...prefix, row(label, bytes.subarray(at - length, at))];
  });
  if (at !== bytes.length) throw new RangeError('bytes are left over');
  return rows.join('\n');
}

function attestRows(bytes: Uint8Array): string {
  if (!decodeAttest(bytes).ok) throw new RangeError('not a TPMS_ATTEST');
  return cut(bytes, QUOTE);
}

function nameRows({ attestationKeyPublic }: Bundle): string {
  const key = decodePublic(attestationKeyPublic);
  const name = key.ok ? objectName(nodeCrypto, key.value) : key;
  const qualified = key.ok ? primaryQualifiedName(nodeCrypto, key.value, 0x4000000b) : key;
  if (!name.ok || !qualified.ok) throw new RangeError('no name');
  return `${row('name', name.value)}\n${row('qualifiedName', qualified.value)}`;
}

function pcrRows({ pcrValues }: Bundle): string {
  const values = pcrValues?.values ?? [];
  const digest = nodeCrypto.hash('sha256', concat(...values.map(({ digest }) => digest)));
  return [
    ...values.map(({ index, digest }) => row(`PCR ${index}`, digest)),
    row('SHA-256 of all', digest),
  ].join('\n');
}

function certificateRows({ certificateChain, attestationKeyCertificateChain }: Bundle): string {
  return [...certificateChain, ...attestationKeyCertificateChain]
    .map((der) => {
      const parsed = parseCertificate(der);
      if (!parsed.ok) throw new RangeError(parsed.message);
      const { tbs, signature, spki, extensions } = parsed.value;
      const oid = extensions.enclaveBinding ? OID_ENCLAVE_BINDING : OID_TPM_TRUST;
      return [
        row(extensions.enclaveBinding ? 'enclave, DER' : 'attestation key, DER', der, 4 * COLUMNS),
        row('SHA-256 of it', nodeCrypto.hash('sha256', der)),
        row('TBSCertificate', tbs, COLUMNS),
        row('SPKI', spki),
        row(`extension .${oid.split('.').at(-1)}`, extensionOf(tbs, oid)),
        row('signature', signature),
      ].join('\n');
    })
    .join('\n\n');
}

/** One Extension whole, tag and length included. */
function extensionOf(tbs: Uint8Array, oid: string): Uint8Array {
  const fields = new DerReader(tbs).sequence('TBSCertificate');
  while (!fields.done && !fields.next(constructedTag(3))) fields.raw('field');
  const list = fields.inside(constructedTag(3), 'extensions').sequence('extensions');
  while (!list.done) {
    const extension = list.raw('extension');
    if (list.over(extension).sequence('extension').objectIdentifier('extension') === oid) return extension;
  }
  throw new RangeError(`no extension ${oid}`);
}

function bundleRows(bundle: Bundle): string {
  const bytes = encodeBundle(bundle);
  const rows: string[] = [];
  let at = 0;
  const varint = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const key = varint();
    const value = varint();
    const isBytes = (key & 7) === 2;
    const head = toHex(bytes.subarray(start, at)).padEnd(10);
    const content = isBytes ? bytes.subarray(at, at + value) : undefined;
    if (content) at += value;
    const shown = content
      ? `${toHex(content.subarray(0, 24))}${content.length > 24 ? ` ... (${content.length} bytes)` : ''}`
      : `${value}`;
    rows.push(`${`field ${key >>> 3}`.padEnd(LABEL)} ${head} ${shown}`);
  }
  return rows.join('\n');
}
