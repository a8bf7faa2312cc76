import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';

/** Whether a docstring stands right before the export of this name. */
function isDocumented(file: string, name: string): boolean {
  const text = readFileSync(file, 'utf8');
  const { program, comments } = parseSync(file, text);
  for (const node of program.body) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    const { declaration, source, specifiers } = node;
    // Passed on from elsewhere: documented there.
    if (specifiers.some(({ exported }) => 'name' in exported && exported.name === name)) {
      if (source !== null) return isDocumented(join(dirname(file), source.value), name);
      const from = program.body.find(
        (each) =>
          each.type === 'ImportDeclaration' && each.specifiers.some(({ local }) => local.name === name),
      );
      return from?.type === 'ImportDeclaration' && isDocumented(join(dirname(file), from.source.value), name);
    }
    if (declaration === null) continue;
    const declared =
      declaration.type === 'VariableDeclaration'
        ? declaration.declarations.map(({ id }) => (id.type === 'Identifier' ? id.name : ''))
        : [
            'id' in declaration && declaration.id !== null && 'name' in declaration.id
              ? declaration.id.name
              : '',
          ];
    if (!declared.includes(name)) continue;
    return comments.some(
      ({ type, value, end }) =>
        type === 'Block' &&
        value.startsWith('*') &&
        end <= node.start &&
        /^\s*$/.test(text.slice(end, node.start)),
    );
  }
  throw new Error(`${file} does not export ${name}`);
}

test('whatever the package exports has a docstring', () => {
  const entries = globSync('client/exports/*.ts');
  expect(entries).toHaveLength(4);
  const bare = entries.flatMap((entry) => {
    const { program } = parseSync(entry, readFileSync(entry, 'utf8'));
    return program.body.flatMap((node) =>
      node.type === 'ExportNamedDeclaration' && node.source !== null
        ? node.specifiers.flatMap(({ exported }) => {
            const file = join(dirname(entry), node.source?.value ?? '');
            const name = 'name' in exported ? exported.name : '';
            return isDocumented(file, name) ? [] : [`${file}: ${name}`];
          })
        : [],
    );
  });
  expect([...new Set(bare)]).toEqual([]);
});
