import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { explain } from '../../../platform/run/explain.ts';
import { Failure, usage } from '../../failure.ts';
import { readUserFile } from '../../read-user-file.ts';

const MAX_DEPTH = 32;

export interface YamlFile {
  /** As JSON would hold it. */
  readonly value: unknown;
  /** `FILE:LINE:COLUMN: MESSAGE`, of the node whose path (`a.b[0]`) the message begins with, or of the closest one above it. */
  at(message: string): string;
}

/**
 * Reads a YAML 1.2 or JSON file of one document in which everything stands where it is written: duplicate keys, anchors, aliases, tags
 * and directives are refused. Offsets in messages count from 1.
 * @param kind of file, which the failure's code begins with. @throws Failure `<kind>-unreadable`
 */
export function readYamlFile(path: string, kind: 'policy' | 'profile', maxBytes: number): YamlFile {
  const remedy = `give a YAML or JSON file of at most ${maxBytes} bytes, without anchors, aliases and tags`;
  const unreadable = (message: string): Failure => usage(`${kind}-unreadable`, message, remedy);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readUserFile(path, maxBytes));
  } catch (error) {
    throw unreadable(error instanceof Failure ? error.message : `${path}: ${explain(error)}`);
  }
  if (isDeep(text)) throw unreadable(`${path}: nested deeper than ${MAX_DEPTH}, or brackets that stay open`);
  const lines = new LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // 0 and "0" are one member once they are JSON.
    uniqueKeys: (a, b) => isScalar(a) && isScalar(b) && String(a.value) === String(b.value),
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw unreadable(`${place(problem.pos[0])}: ${problem.message}`);
  if (document.directives?.yaml.explicit) throw unreadable(`${place(0)}: a directive`);
  visit(document, {
    Alias: (_, node) => {
      throw unreadable(`${place(offsetOf(node))}: an alias`);
    },
    Node: (_, node) => {
      if (('anchor' in node && node.anchor !== undefined) || node.tag !== undefined)
        throw unreadable(`${place(offsetOf(node))}: an anchor or a tag`);
    },
    Pair: (_, { key }) => {
      if (!isScalar(key))
        throw unreadable(`${place(isNode(key) ? offsetOf(key) : 0)}: a key that is no text`);
    },
  });
  const paths = new Map<string, Place>();
  if (document.contents !== null) collect(document.contents, '', paths);
  return {
    value: document.toJS(),
    at: (message) => {
      const named = [...paths.keys()].filter(
        (each) => message.startsWith(each) && /^(: |\.|\[)/.test(message.slice(each.length)),
      );
      const longest = named.reduce((a, b) => (b.length > a.length ? b : a), '');
      const found = paths.get(longest);
      // What is wrong with a member's name stands at its name.
      const isName = / member (of|named)\b/.test(message.slice(longest.length));
      // A digest of digits alone is a number to YAML.
      const isNumber = found?.isNumber === true && !message.includes('an integer');
      const hint = isNumber ? ' (write it in quotes)' : '';
      return `${place((isName ? found?.key : found?.value) ?? 0)}: ${message}${hint}`;
    },
  };
}

/** The parser recurses, and slowly where it gives up: depth is bounded before it starts, by brackets and by what stands before a line's text. */
function isDeep(text: string): boolean {
  let open = 0;
  for (const character of text) {
    if (character === '[' || character === '{') open += 1;
    if (character === ']' || character === '}') open = Math.max(open - 1, 0);
    if (open > MAX_DEPTH) return true;
  }
  return new RegExp(`^[ \\t?:-]{${2 * MAX_DEPTH}}`, 'm').test(text);
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Offsets of a node and of its name, by which it is told where it stands. */
interface Place {
  readonly value: number;
  readonly key: number;
  readonly isNumber: boolean;
}

/** Every node's place by its path, in the form that refusals have it. */
function collect(node: Node, path: string, paths: Map<string, Place>, key?: number): void {
  const value = offsetOf(node);
  const isNumber = isScalar(node) && typeof node.value === 'number';
  paths.set(path, { value, key: key ?? value, isNumber });
  if (isSeq(node))
    for (const [index, item] of node.items.entries())
      if (isNode(item)) collect(item, `${path}[${index}]`, paths);
  if (isMap(node))
    for (const pair of node.items)
      if (isPair(pair) && isScalar(pair.key) && isNode(pair.value)) {
        const name = String(pair.key.value);
        collect(pair.value, path === '' ? name : `${path}.${name}`, paths, offsetOf(pair.key));
      }
}
