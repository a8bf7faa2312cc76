/** The process's environment: read here and nowhere else, so that what configures a process is known. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
