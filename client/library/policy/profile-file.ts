import { readYamlFile } from './yaml-file.ts';

const MAX_PROFILE_BYTES = 256 * 1024;

/** `spec` of the operator's EnclaveProfile manifest, or of a file that is the spec alone; `parseProfile` judges it. @throws Failure */
export function readProfileFile(path: string): unknown {
  const { value } = readYamlFile(path, 'profile', MAX_PROFILE_BYTES);
  return typeof value === 'object' && value !== null && 'spec' in value ? value.spec : value;
}
