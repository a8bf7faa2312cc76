/** Wrong use: one line that names the option and what was wrong with it. `run` prints it and exits with 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
