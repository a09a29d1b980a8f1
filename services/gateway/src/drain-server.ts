import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { Logger } from '@vortex/observability';

/**
 * How an HTTP server goes without anybody noticing. The order is the point:
 *
 *   listening ──sayGoodbye──► every answer says `Connection: close`; new connections are still taken, so that
 *        │                    a client that was told to leave finds a listener, and a balancer has time to
 *        │                    see that readiness is off (`graceMs`)
 *        └──stopAccepting──► the listener is closed when its queue is empty
 *                 └──finish──► open requests end; connections close as they fall idle
 *                       ├──► all ended            closed
 *                       └──► budget used up       connections cut (their jobs are cancelled), closed
 *
 * Linux resets the connections that wait in the queue of a listener that closes, even when another process
 * listens on the same port (unless `net.ipv4.tcp_migrate_req` is set). Node takes one connection per turn
 * of its loop from that queue, so the listener is closed right after a turn that found nothing in it: what
 * is left is the microseconds between the two calls.
 */
export interface ServerDrain {
  /** With 0, one that is under way stops waiting. */
  stopAccepting(graceMs: number): Promise<void>;
  finish(budgetMs: number): Promise<void>;
  /** The grace and the waiting end now. */
  cut(): void;
  /** From the first step on. */
  hasBegun(): boolean;
}

/** A connection without a word may have its request under way; one that was opened ahead of need never says any. */
const silentForMs = 500;
/** A client whose stream has just ended may be sending its next request on that connection. */
const quietForMs = 150;
const sweepMs = 50;
const maxTurns = 200;

export function createServerDrain(server: Server, log: Logger): ServerDrain {
  const acceptedAt = new Map<Socket, number>();
  let begun = false;
  let isCut = false;
  let lastEnd = Number.NEGATIVE_INFINITY;
  let accepting: Promise<void> | undefined;
  const enoughGrace = new AbortController();
  const note = (socket: Socket) => {
    acceptedAt.set(socket, performance.now());
    socket.once('close', () => acceptedAt.delete(socket));
  };
  server.on('connection', note);
  // With TLS, the answers are on the socket inside of it.
  server.on('secureConnection', note);

  /** Of answers that have begun without the word, the connection falls idle at their end; it is noted here. */
  function sayGoodbye(): void {
    begun = true;
    for (const socket of acceptedAt.keys()) {
      const answer = answerOn(socket);
      if (answer === null) continue;
      if (answer.headersSent) {
        answer.once('close', () => {
          lastEnd = performance.now();
        });
      } else answer.setHeader('Connection', 'close');
    }
  }

  async function stopAccepting(graceMs: number): Promise<void> {
    sayGoodbye();
    if (graceMs > 0) await delay(graceMs, undefined, { signal: enoughGrace.signal }).catch(() => undefined);
    await queueIsEmpty(server);
    server.close();
  }

  function closeIdle(): void {
    const now = performance.now();
    // Node counts those that have said nothing yet neither as idle nor as busy.
    for (const [socket, since] of acceptedAt) {
      if (socket.bytesRead === 0 && now - since >= silentForMs) socket.destroy();
    }
    if (now - lastEnd >= quietForMs) server.closeIdleConnections();
  }

  /** Those as well that left HTTP and were answered on the bare socket; the server knows no more of them. */
  function closeAll(): void {
    for (const socket of acceptedAt.keys()) socket.destroy();
  }

  return {
    hasBegun: () => begun,
    cut() {
      isCut = true;
      enoughGrace.abort();
      closeAll();
    },
    stopAccepting(graceMs) {
      if (graceMs === 0) enoughGrace.abort();
      accepting ??= stopAccepting(graceMs);
      return accepting;
    },
    async finish(budgetMs) {
      const cut = setTimeout(() => {
        log.warn({ budget_ms: budgetMs }, 'requests are still open at the end of the drain; cutting them');
        closeAll();
      }, budgetMs);
      while (acceptedAt.size > 0) {
        // Right after the turn that has read what was there: an idle connection is closed before its next
        // request has come, not after.
        await turn();
        closeIdle();
        // One that was accepted after the cut.
        if (isCut) closeAll();
        if (acceptedAt.size > 0) await delay(sweepMs);
      }
      clearTimeout(cut);
    },
  };
}

/** Resolves after a turn of the event loop in which no connection was waiting. */
async function queueIsEmpty(server: Server): Promise<void> {
  let accepted = true;
  const note = () => {
    accepted = true;
  };
  server.on('connection', note);
  for (let turns = 0; accepted && turns < maxTurns; turns += 1) {
    accepted = false;
    await turn();
  }
  server.off('connection', note);
}

function answerOn(socket: Socket & { _httpMessage?: ServerResponse | null }): ServerResponse | null {
  return socket._httpMessage ?? null;
}
