/** One mount of a container: the path the pod's author wrote, and where it really is on this machine. */
export interface PathMapping {
  readonly mountPath: string;
  readonly realPath: string;
}

/**
 * Replaces mount paths by real ones in a command, an argument or a variable's value: this node has no mount
 * namespaces. A path counts where it begins the text or follows a delimiter (as in `--file=/a`, `unix:/a/b`,
 * `/a:/b`), and ends at a delimiter, a slash or the end of the text. The longest mount path wins.
 */
export function rewritePaths(text: string, mappings: readonly PathMapping[]): string {
  if (mappings.length === 0) return text;
  const real = new Map(mappings.map((each) => [trimSlash(each.mountPath), each.realPath]));
  const alternatives = [...real.keys()]
    .sort((a, b) => b.length - a.length)
    .map((path) => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(
    `(?<=^|[\\s:=,;"'\`(<>|&@])(?:${alternatives.join('|')})(?=$|[\\s/:=,;"'\`)<>|&])`,
    'g',
  );
  return text.replace(pattern, (path) => real.get(path) ?? path);
}

function trimSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
