import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RestartEvent } from './restart.ts';

/**
 * Where a running supervisor takes requests: a Unix socket that only its own user may open (its path is in
 * the run file). One request per connection, a line of JSON; then events, a line of JSON each; the last one
 * is `done` or `failed`. A client that leaves ends what it asked for after the step that is under way.
 */
export interface ControlRequest {
  command: 'restart';
  /** As `status` names them; none: every worker and gateway. */
  services: string[];
}

export type RestartRequestHandler = (
  services: readonly string[],
  tell: (event: RestartEvent) => void,
  signal: AbortSignal,
) => Promise<void>;

const maxRequestCharacters = 10_000;
/** A socket's path must fit into 104 bytes on macOS, 108 on Linux. */
const maxPathBytes = 100;

/** In the folder of the run file; in the system's temporary folder when that path is too long for a socket. */
export function controlSocketPath(runFolder: string): string {
  const path = join(runFolder, 'control.sock');
  if (Buffer.byteLength(path) <= maxPathBytes) return path;
  const mark = createHash('sha256').update(runFolder).digest('hex').slice(0, 16);
  return join(tmpdir(), `vortex-${mark}.sock`);
}

/** @throws the listen error; an instance runs as well without it, but cannot be asked for anything. */
export async function openControlSocket(
  path: string,
  restart: RestartRequestHandler,
): Promise<{ close(): void }> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    // A client that vanished; its leaving is what `close` says.
    socket.on('error', () => {});
    serve(socket, restart);
  });
  // Of a supervisor that was killed: ours is the only one on this folder, the lock says so.
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket's file is made within the call, so nothing else is made under this mask.
    const before = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(before);
  });
  chmodSync(path, 0o600);
  return {
    close() {
      server.close();
      for (const socket of connections) socket.end();
    },
  };
}

function serve(socket: Socket, restart: RestartRequestHandler): void {
  const left = new AbortController();
  socket.once('close', () => left.abort());
  const tell = (event: RestartEvent) => {
    if (socket.writable) socket.write(`${JSON.stringify(event)}\n`);
  };
  let text = '';
  let isRead = false;
  socket.setEncoding('utf8').on('data', (piece: string) => {
    if (isRead) return;
    text += piece;
    const end = text.indexOf('\n');
    if (end === -1 && text.length <= maxRequestCharacters) return;
    isRead = true;
    const request = readRequest(end === -1 ? '' : text.slice(0, end));
    if (request === null) {
      tell(failedBecause('the supervisor does not know this request; is it of another version?'));
      socket.end();
      return;
    }
    restart(request.services, tell, left.signal)
      .catch((error: unknown) => tell(failedBecause(`this is a bug in the supervisor: ${String(error)}`)))
      .finally(() => socket.end());
  });
}

export function failedBecause(reason: string): RestartEvent {
  return { event: 'failed', service: null, worker_name: null, reason, log_file: null };
}

function readRequest(line: string): ControlRequest | null {
  try {
    const { command, services } = JSON.parse(line) as Partial<ControlRequest>;
    if (command !== 'restart' || !Array.isArray(services)) return null;
    return { command, services: services.map(String) };
  } catch {
    return null;
  }
}
