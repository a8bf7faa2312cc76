import { createServer, request } from 'node:http';
import { dirname, join } from 'node:path';

/** Where the nodes' process listens for what a test does to them. */
function controlSocket(clusterDirectory: string): string {
  return join(clusterDirectory, 'control.sock');
}

/** Serves `POST /restart/<node>` in the nodes' process, for its own user only. */
export function serveControl(clusterDirectory: string, restart: (node: string) => number): void {
  const server = createServer((asked, response) => {
    const node = /^\/restart\/([\w-]+)$/.exec(asked.url ?? '')?.[1];
    response.end(String(node === undefined ? 0 : restart(node)));
  });
  server.listen(controlSocket(clusterDirectory));
  server.unref();
}

/** Ends every light container of a node, which its kubelet starts again; resolves to how many. @param kubeconfig the cluster's own */
export function restartPods(kubeconfig: string, node: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: controlSocket(dirname(kubeconfig)),
      path: `/restart/${node}`,
      method: 'POST',
    };
    const asking = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(Number(text)));
    });
    asking.on('error', reject);
    asking.end();
  });
}
