/**
 * `respawn.ts PIDFILE PROGRAM [ARGUMENT...]`: runs a program with this very Node, and again at once whenever it ends, until SIGTERM. A
 * kubelet without backoff, for tests that kill a component more often than anybody would wait for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';

const [pidFile = '', ...command] = process.argv.slice(2);
let ending = false;
let child: ChildProcess;

function run(): void {
  child = spawn(process.execPath, command, { stdio: 'inherit' });
  // Whole or not at all: the test reads it at any moment.
  writeFileSync(`${pidFile}.new`, String(child.pid));
  renameSync(`${pidFile}.new`, pidFile);
  child.once('exit', () => {
    if (ending) process.exit();
    run();
  });
}
process.on('SIGTERM', () => {
  ending = true;
  child.kill('SIGTERM');
});
run();
