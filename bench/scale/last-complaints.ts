import type { Environment } from '../../tools/cluster/environment.ts';

const LINES = 4;
const LONGEST = 400;

/** The last warnings and errors of each container that said any: for a bench that broke off. */
export async function lastComplaints(environment: Environment): Promise<string> {
  const said: string[] = [];
  for (const [name, text] of await environment.logs()) {
    const lines = text.split('\n').filter((line) => /"level":"(warn|error)"/.test(line));
    if (lines.length > 0) said.push(`${name}:`, ...lines.slice(-LINES).map((line) => line.slice(0, LONGEST)));
  }
  return said.join('\n');
}
