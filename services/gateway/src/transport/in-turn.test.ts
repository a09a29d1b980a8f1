import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { createTurns } from './in-turn.ts';

const turn = () => new Promise(setImmediate);

it('of requests that had to wait, all connections together, one is begun per turn of the event loop', async () => {
  const inTurn = createTurns();
  const begun: string[] = [];
  const answers = new Map<string, EventEmitter>();
  for (const name of ['a', 'b', 'c']) {
    const incoming = { socket: { destroyed: false } } as unknown as IncomingMessage;
    for (const number of [1, 2]) {
      const answer = new EventEmitter();
      answers.set(`${name}${number}`, answer);
      inTurn(incoming, answer as unknown as ServerResponse, () => begun.push(`${name}${number}`));
    }
  }
  expect(begun).toEqual(['a1', 'b1', 'c1']);
  for (const first of ['a1', 'b1', 'c1']) answers.get(first)?.emit('close');
  // Others come in between: nothing is begun in the turn that ended the answers.
  expect(begun).toHaveLength(3);
  for (const waited of ['a2', 'b2', 'c2']) {
    await turn();
    expect(begun.slice(3).at(-1)).toBe(waited);
  }
  expect(begun).toHaveLength(6);
});
