/** Names of one processor architecture in OCI (and Debian), in npm, and in the paths of Debian's libraries. */
export interface Architecture {
  readonly oci: 'amd64' | 'arm64';
  readonly npm: 'x64' | 'arm64';
  readonly triplet: string;
}

export const ARCHITECTURES: readonly Architecture[] = [
  { oci: 'amd64', npm: 'x64', triplet: 'x86_64-linux-gnu' },
  { oci: 'arm64', npm: 'arm64', triplet: 'aarch64-linux-gnu' },
];

/** By either name; this machine's when undefined. Throws for others. */
export function architecture(name: string = process.arch): Architecture {
  const found = ARCHITECTURES.find(({ oci, npm }) => oci === name || npm === name);
  if (found === undefined) throw new Error(`no images for the architecture ${name}: amd64 or arm64`);
  return found;
}
