import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The ordinary apt client for one architecture, with the machine's sources and keys, and with lists and a status of its own: it needs no root, sees
 * packages of other architectures, and neither asks nor tells what is installed here.
 */
export class Apt {
  readonly #options: string[];
  readonly #root: string;

  constructor(root: string, arch: string) {
    this.#root = join(root, arch);
    const status = join(this.#root, 'status');
    for (const folder of ['lists/partial', 'cache/archives/partial', 'log'])
      mkdirSync(join(this.#root, folder), { recursive: true });
    writeFileSync(status, '');
    const options = {
      'APT::Architecture': arch,
      'APT::Architectures': arch,
      'APT::Sandbox::User': '',
      'Dir::State::Lists': join(this.#root, 'lists'),
      'Dir::State::status': status,
      'Dir::Cache': join(this.#root, 'cache'),
      'Dir::Log': join(this.#root, 'log'),
    };
    this.#options = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  }

  /** Fetches the lists of packages. */
  update(): void {
    this.#run('apt-get', ['-qq', 'update'], this.#root);
  }

  /** The candidate's control fields. Throws if there is none. */
  show(name: string): ReadonlyMap<string, string> {
    const stanza = this.#run('apt-cache', ['show', '--no-all-versions', name], this.#root);
    return new Map(
      stanza.split('\n').flatMap((line) => {
        const [, field, value] = /^([A-Za-z0-9-]+): (.*)$/.exec(line) ?? [];
        return field === undefined || value === undefined ? [] : [[field, value] as const];
      }),
    );
  }

  /** Puts the .deb into the folder. Throws if the archive does not serve that version. */
  download(name: string, version: string, folder: string): void {
    this.#run('apt-get', ['-qq', 'download', `${name}=${version}`], folder);
  }

  #run(command: string, args: readonly string[], cwd: string): string {
    const { status, stdout, stderr, error } = spawnSync(command, [...this.#options, ...args], {
      cwd,
      encoding: 'utf8',
    });
    if (error !== undefined)
      throw new Error(`the images are built on Debian, with its apt: ${error.message}`);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`);
    return stdout;
  }
}
