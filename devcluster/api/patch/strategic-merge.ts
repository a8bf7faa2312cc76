import { type Fields, isFields, items, text, texts } from '../object.ts';
import { type FieldRule, type FieldType, structRules } from '../schema/types.ts';

const DELETE_FROM = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';

/**
 * Strategic merge patch (`apimachinery/pkg/util/strategicpatch`): as a merge patch, but lists that have a merge key are
 * merged by it, and directives ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList) are followed. The
 * document is not changed.
 * @param struct the Go type of the document, as the type table names it
 */
export function applyStrategicMerge(struct: string | undefined, document: Fields, patch: Fields): Fields {
  const { $patch: directive, $retainKeys: retain, ...members } = patch;
  if (directive === 'delete') return {};
  if (directive === 'replace') return withoutDirectives(members) as Fields;
  const rules = struct === undefined ? undefined : structRules(struct);
  const merged: Fields = { ...document };
  if (Array.isArray(retain))
    for (const name of Object.keys(merged)) if (!retain.includes(name)) delete merged[name];
  for (const [name, value] of Object.entries(members)) {
    if (name.startsWith(DELETE_FROM)) {
      const field = name.slice(DELETE_FROM.length);
      merged[field] = texts(merged[field]).filter((each) => !texts(value).includes(each));
    } else if (!name.startsWith(ORDER)) {
      if (value === null) delete merged[name];
      else merged[name] = mergeField(rules?.get(name), merged[name], value);
    }
  }
  for (const [name, rule] of rules ?? []) {
    const order = members[`${ORDER}${name}`] ?? members[name];
    if (rule.mergeKey !== undefined && Array.isArray(order))
      merged[name] = arrange(merged[name], order, document[name], rule.mergeKey);
  }
  return merged;
}

function mergeField(rule: FieldRule | undefined, held: unknown, value: unknown): unknown {
  if (isFields(value)) return applyStrategicMerge(structOf(rule?.type), isFields(held) ? held : {}, value);
  if (!Array.isArray(value) || rule?.mergeKey === undefined) return withoutDirectives(value);
  if (rule.mergeKey === '') return [...new Set([...texts(held), ...texts(value)])];
  return mergeList(rule.mergeKey, structOf(rule.type.element), items(held), items(value));
}

function structOf(type: FieldType | undefined): string | undefined {
  return type?.shape === 'struct' ? type.name : undefined;
}

function mergeList(
  key: string,
  struct: string | undefined,
  held: readonly Fields[],
  patch: readonly Fields[],
): Fields[] {
  if (patch.some((each) => each['$patch'] === 'replace' && each[key] === undefined))
    return patch.filter((each) => each['$patch'] === undefined);
  const merged = [...held];
  for (const each of patch) {
    const at = merged.findIndex((element) => element[key] === each[key]);
    const before = merged[at];
    if (each['$patch'] === 'delete') {
      if (at >= 0) merged.splice(at, 1);
    } else if (before === undefined) merged.push(applyStrategicMerge(struct, {}, each));
    else merged[at] = applyStrategicMerge(struct, before, each);
  }
  return merged;
}

/**
 * Elements of the patch in its order, those that only the server has between them: before an element of the patch when
 * the server had them before it, else after.
 */
function arrange(list: unknown, order: readonly unknown[], before: unknown, key: string): unknown {
  if (!Array.isArray(list)) return list;
  const same = (a: unknown, b: unknown): boolean =>
    key === '' ? a === b : isFields(a) && isFields(b) && a[key] === b[key];
  const place = (within: readonly unknown[], element: unknown): number =>
    within.findIndex((each) => same(each, element));
  const server = Array.isArray(before) ? before : [];
  const ordered = list
    .filter((each) => place(order, each) >= 0)
    .sort((a, b) => place(order, a) - place(order, b));
  const others = list.filter((each) => place(order, each) < 0);
  const arranged: unknown[] = [];
  for (const each of ordered) {
    const at = place(server, each);
    while (at >= 0 && others.length > 0 && place(server, others[0]) < at) arranged.push(others.shift());
    arranged.push(each);
  }
  return [...arranged, ...others];
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((each) => !isFields(each) || text(each['$patch']) === '').map(withoutDirectives);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !name.startsWith('$') && member !== null)
      .map(([name, member]) => [name, withoutDirectives(member)]),
  );
}
