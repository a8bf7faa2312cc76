import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Runs a program to its end. @throws Error with what it said, when its code is not 0 */
export type Run = (
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
) => Promise<unknown>;

/**
 * The maker of a cluster's emulated TPMs: a certificate authority of its own, made by swtpm's `swtpm_localca` in this folder
 * and nowhere else on the machine.
 */
export class TpmAuthority {
  readonly #directory: string;
  readonly #seen: string;
  #queue: Promise<unknown> = Promise.resolve();

  /** @param seen the same folder as `swtpm_setup` sees it, where it runs in a mount namespace of its own */
  constructor(directory: string, seen: string = directory) {
    this.#directory = directory;
    this.#seen = seen;
    mkdirSync(join(directory, 'ca'), { recursive: true, mode: 0o700 });
    // Its temporary files are ours to remove, however it ends.
    mkdirSync(join(directory, 'tmp'), { recursive: true });
    const ca = join(seen, 'ca');
    writeFileSync(
      join(directory, 'setup.conf'),
      `create_certs_tool = swtpm_localca\ncreate_certs_tool_config = ${seen}/localca.conf\n` +
        `create_certs_tool_options = ${seen}/localca.options\nactive_pcr_banks = sha256\n`,
    );
    writeFileSync(
      join(directory, 'localca.conf'),
      `statedir = ${ca}\nsigningkey = ${ca}/signkey.pem\nissuercert = ${ca}/issuercert.pem\ncertserial = ${ca}/certserial\n`,
    );
    writeFileSync(
      join(directory, 'localca.options'),
      '--platform-manufacturer devcluster\n--platform-version 1\n--platform-model swtpm\n',
    );
  }

  /** The roots that EK certificates chain to, as PEM files of this folder: what an operator gives to the certificate service. */
  exportRoots(into: string): void {
    mkdirSync(into, { recursive: true });
    const ca = join(this.#directory, 'ca');
    for (const file of readdirSync(ca))
      if (file.endsWith('cert.pem')) copyFileSync(join(ca, file), join(into, file));
  }

  /** A new TPM in `state`, a folder as `swtpm_setup` sees it. One at a time: they share the authority's serial number. */
  async manufacture(state: string, run: Run): Promise<void> {
    this.#queue = this.#queue
      .catch(() => undefined)
      .then(() =>
        run(
          [
            ...['swtpm_setup', '--tpm2', '--config', join(this.#seen, 'setup.conf'), '--tpmstate', state],
            ...['--create-ek-cert', '--create-platform-cert', '--lock-nvram'],
          ],
          { TMPDIR: join(this.#seen, 'tmp') },
        ),
      );
    await this.#queue;
  }
}
