import { createServer } from 'node:http';

/**
 * A process of its own that answers every request after so many milliseconds; a child of the self-check, which freezes
 * it by a signal. The first line it prints is its port.
 */
const latencyMs = Number(process.argv[2] ?? 20);
const body = JSON.stringify({ answer: 'yes' });

const server = createServer((request, response) => {
  request.resume();
  setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  }, latencyMs);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : address);
});
process.on('disconnect', () => process.exit());
