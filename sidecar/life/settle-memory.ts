/**
 * Gives back, once, what starting took: the young generation's pages, the bytecode of what runs only once. A process that has little to do is never
 * collected by V8 itself, and this one idles in every pod: it saves about a fifth of its anonymous memory. Takes some ten milliseconds.
 */
export function settleMemory(): void {
  const [v8, vm] = [process.getBuiltinModule('node:v8'), process.getBuiltinModule('node:vm')];
  v8.setFlagsFromString('--expose-gc');
  try {
    const collect: unknown = vm.runInNewContext('gc');
    if (typeof collect === 'function') collect({ type: 'major', flavor: 'last-resort' });
  } finally {
    v8.setFlagsFromString('--no-expose-gc');
  }
}
