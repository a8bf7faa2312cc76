/**
 * Expands `$(NAME)` as a kubelet does in command, args and env (Kubernetes, `pkg/util/expansion` semantics):
 * `$$` is a literal `$`, a name without a value stays as written.
 */
export function expandVariables(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, next: string, name: string | undefined) => {
    if (next === '$') return '$';
    return name === undefined ? whole : (variables.get(name) ?? whole);
  });
}
