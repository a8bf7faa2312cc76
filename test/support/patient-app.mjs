// A workload that ends as a good HTTP server does: what it was asked it answers, and says on each answer that it is about to go.
// node patient-app.mjs HOST PORT
import { createServer } from 'node:http';
import { Server } from 'node:net';

const [host, port] = process.argv.slice(2);
let ending = false;
/** Answers to what was asked for slowly: given a moment after the app was told to end. */
const slow = [];
const server = createServer((request, response) => {
  if (request.url === '/crash') process.exit(7);
  if (request.url === '/end') process.exit(0);
  const answer = () => {
    if (ending) response.setHeader('connection', 'close');
    response.end(`answer to ${request.url}`);
  };
  if (request.url === '/slow') console.log(`app asked ${slow.push(answer)}`);
  else answer();
});
server.listen(Number(port), host, () => console.log(`app up ${new Date().toISOString()}`));
process.on('SIGTERM', () => {
  ending = true;
  console.log('app ending');
  // Not http's own close: it would end connections on which a request may be under way already.
  Server.prototype.close.call(server, () => process.exit(0));
  for (const answer of slow) setTimeout(answer, 500);
});
