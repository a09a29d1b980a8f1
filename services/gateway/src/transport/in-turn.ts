import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Requests that a client sends on one connection without waiting for answers are run one after the other. Node hands
 * over all that came in one packet at once, a thousand and more, and keeps the answers until their turn: 166
 * connections of 50 requests each, none of whose answers was read, kept everybody else waiting for ten seconds.
 * HTTP/1.1 answers in order anyway, so who pipelines in earnest loses little.
 *
 * Of those that had to wait, all connections together, one is begun per turn of the event loop: everything else comes in
 * between. Begun as soon as their connection was free, they cost others 1.5 s at worst, while the system's buffers
 * took answers in; so they cost them one answer's time.
 *
 * Of connections whose first request has come, `freshPerTurn` are begun per turn, in the order they came: 166 that were opened
 * in the same moment are begun beside what is under way, not before it.
 */
export type InTurn = (incoming: IncomingMessage, outgoing: ServerResponse, run: () => void) => void;

interface Waiting {
  socket: Socket;
  outgoing: ServerResponse;
  run: () => void;
}

/**
 * Some 10 ms of cheap answers; large ones have a line of their own (write-in-turn.ts). With 8, 64 clients that hand in documents shared
 * their commands to Redis with fewer others, which cost it a third more.
 */
const freshPerTurn = 64;

export function createTurns(): InTurn {
  const waiting = new WeakMap<Socket, Waiting[]>();
  const due: Socket[] = [];
  const fresh: Waiting[] = [];
  let begunInTurn = 0;

  function begin({ socket, outgoing, run }: Waiting): void {
    outgoing.once('close', () => free(socket));
    run();
  }

  function free(socket: Socket): void {
    if (waiting.get(socket)?.length === 0) waiting.delete(socket);
    else if (due.push(socket) === 1) setImmediate(beginNext);
  }

  function beginNext(): void {
    const socket = due.shift();
    if (due.length > 0) setImmediate(beginNext);
    if (socket === undefined) return;
    const following = waiting.get(socket)?.shift();
    if (following === undefined || socket.destroyed) waiting.delete(socket);
    else begin(following);
  }

  function beginFresh(one: Waiting): void {
    begunInTurn += 1;
    if (begunInTurn === 1) setImmediate(nextTurn);
    begin(one);
  }

  function nextTurn(): void {
    begunInTurn = 0;
    for (let one = fresh.shift(); one !== undefined; one = fresh.shift()) {
      if (one.socket.destroyed) waiting.delete(one.socket);
      else beginFresh(one);
      if (begunInTurn >= freshPerTurn) return;
    }
  }

  return (incoming, outgoing, run) => {
    const { socket } = incoming;
    const line = waiting.get(socket);
    if (line !== undefined) {
      line.push({ socket, outgoing, run });
      return;
    }
    waiting.set(socket, []);
    if (fresh.length > 0 || begunInTurn >= freshPerTurn) fresh.push({ socket, outgoing, run });
    else beginFresh({ socket, outgoing, run });
  };
}
