/** Milliseconds that this process has computed so far: what a busy machine makes no longer. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
