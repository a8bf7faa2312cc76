/** The chart's values as a Markdown table: each leaf of values.yaml with its default and its comment. */
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';

const HEADING = '\n## Values\n\n';
/** Values whose members are the operator's or Kubernetes' own: one row each, whatever they hold. */
const WHOLE = /\.(resources|nodeSelector|tolerations|affinity|annotations|labels|metricsFrom|ekRoots)$/;

/** The README with its last section, the table, written anew. */
export function withValuesTable(readme: string, values: string): string {
  const end = readme.indexOf(HEADING);
  if (end < 0) throw new Error('the README has no section Values');
  const { contents } = parseDocument(values);
  if (!isMap(contents)) throw new Error('values.yaml holds no mapping');
  const table = ['| value | default | what it is |', '|---|---|---|', ...rowsOf(contents, '')];
  return `${readme.slice(0, end)}${HEADING}${table.join('\n')}\n`;
}

function rowsOf(map: YAMLMap, prefix: string): string[] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`a key below ${prefix} is no text`);
    const path = `${prefix}${String(key.value)}`;
    if (isMap(value) && value.items.length > 0 && !WHOLE.test(path)) return rowsOf(value, `${path}.`);
    // The parser keeps the comment before a mapping's first key with the mapping.
    const help = helpOf((index === 0 ? map.commentBefore : undefined) ?? key.commentBefore ?? '');
    if (help === '') throw new Error(`values.yaml says nothing of ${path}`);
    const fallback = JSON.stringify(isScalar(value) ? value.value : value);
    return [`| \`${path}\` | \`${fallback}\` | ${help} |`.replace(/\|(?! |$)/g, '\\|')];
  });
}

/** What stands behind `# --`, up to the key. */
function helpOf(comment: string): string {
  const [, help = ''] = /(?:^|\n) -- ([\s\S]*)$/.exec(comment) ?? [];
  return help.replaceAll(/\s*\n\s*/g, ' ');
}
