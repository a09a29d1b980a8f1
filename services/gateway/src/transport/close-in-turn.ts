import type { Socket } from 'node:net';

/** With 50 requests waiting on each, some 2 ms. Twice as many in the line's first turn, which has closed some already. */
const perTurn = 2;

/**
 * Lets connections be closed a few per turn of the event loop. With each, all that goes on or waits on it is ended, and Node
 * makes an error with a stack for every request: 166 connections of 50 requests that hung up in the same moment cost
 * everybody else 117 ms, 500 slow uploads 70. Whoever is in this line is destroyed already; only its file is
 * closed a little later.
 */
export function createCloseTurns(): (socket: Socket) => void {
  const line: (() => void)[] = [];
  let closedInTurn = 0;

  function closeNow(close: () => void): void {
    closedInTurn += 1;
    if (closedInTurn === 1) setImmediate(nextTurn);
    close();
  }

  function nextTurn(): void {
    closedInTurn = 0;
    for (const close of line.splice(0, perTurn)) closeNow(close);
  }

  return (socket) => {
    const destroy = socket._destroy;
    socket._destroy = (error, done) => {
      const close = () => destroy.call(socket, error, done);
      if (line.length > 0 || closedInTurn >= perTurn) line.push(close);
      else closeNow(close);
    };
  };
}
