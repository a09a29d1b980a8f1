import { expect, it } from 'vitest';
import { z } from 'zod';
import type { GatewayContext } from '../exchange.ts';
import { readJson } from './json-body.ts';

function contextOf(body: string): GatewayContext {
  const raw = new Request('http://vortex/query', { method: 'POST', body });
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  return { req: { raw, header: (name: string) => headers[name] } } as unknown as GatewayContext;
}

it('of large bodies that have come at once each has a turn of its own, and small ones do not wait', async () => {
  let turn = 0;
  const parsedIn = { large: [] as number[], small: [] as number[] };
  const schema = z.strictObject({ of: z.enum(['large', 'small']), text: z.string() }).transform(({ of }) => {
    parsedIn[of].push(turn);
  });
  const bodies = Array.from({ length: 20 }, (_, at) => {
    const large = at % 2 === 0;
    return JSON.stringify({ of: large ? 'large' : 'small', text: 'x'.repeat(large ? 100_000 : 100) });
  });
  let reading = true;
  const countTurns = () => {
    turn += 1;
    if (reading) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  await Promise.all(bodies.map((body) => readJson(contextOf(body), schema, 1_000_000)));
  reading = false;
  expect(parsedIn.small).toHaveLength(10);
  const turnsBetween = parsedIn.large.slice(1).map((one, at) => one - (parsedIn.large[at] ?? 0));
  expect(Math.min(...turnsBetween)).toBeGreaterThan(0);
  expect(Math.max(...parsedIn.small)).toBeLessThan(Math.max(...parsedIn.large));
});
