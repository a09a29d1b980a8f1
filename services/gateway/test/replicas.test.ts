import { expect, test } from 'vitest';
import { closedBreaker, gatewayUnderTest } from './gateway-under-test.ts';

test('shows each replica with its breaker, and what is left of the retry budget', async () => {
  const { app, queue } = await gatewayUnderTest();
  const [first] = queue.states;
  if (first !== undefined) first.breaker = { ...closedBreaker, state: 'open', trips: 2, probe_in_ms: 1500 };
  const reply = await app.request('/api/replicas');
  expect(reply.status).toBe(200);
  const body = await reply.json();
  expect(body).toMatchObject({
    retry_budget: 10,
    replicas: [
      {
        name: 'llm_generator_1',
        url: 'http://r1',
        state: 'up',
        slots: 20,
        load: 0,
        breaker: { state: 'open', trips: 2, probe_in_ms: 1500 },
      },
      { name: 'llm_generator_2', load: 2, breaker: { state: 'closed' } },
    ],
  });
});

test('drains and resumes a replica by its name, the live one when there are two', async () => {
  const { app, queue } = await gatewayUnderTest();
  queue.states.unshift({
    url: 'http://r0',
    worker_name: 'llm_generator_2',
    load: 0,
    slots: 20,
    state: 'down',
    breaker: closedBreaker,
    silent_ms: 60_000,
  });
  const drained = await app.request('/api/replicas/llm_generator_2/drain', { method: 'POST' });
  expect([drained.status, await drained.json()]).toMatchObject([
    200,
    { url: 'http://r2', state: 'draining', warning: null },
  ]);
  const resumed = await app.request('/api/replicas/llm_generator_2/resume', { method: 'POST' });
  expect([resumed.status, await resumed.json()]).toMatchObject([200, { state: 'up' }]);
  expect(queue.drains).toEqual([
    ['http://r2', 'DRAIN'],
    ['http://r2', 'RESUME'],
  ]);
});

test('says what it means when the last replica that takes questions is drained', async () => {
  const { app, queue } = await gatewayUnderTest();
  const order = async (verb: string) =>
    (await app.request(`/api/replicas/llm_generator_2/${verb}`, { method: 'POST' })).json();
  for (const state of ['draining', 'down'] as const) {
    if (queue.states[0] !== undefined) queue.states[0].state = state;
    expect(await order('drain')).toMatchObject({
      warning: expect.stringMatching(/they wait until one does/),
    });
    expect(await order('resume')).toMatchObject({ warning: null });
  }
});

test('a replica of no name is 404, and a Redis that is away 503', async () => {
  const { app, queue } = await gatewayUnderTest();
  const unknown = await app.request('/api/replicas/nobody/drain', { method: 'POST' });
  expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'not_found' }]);
  queue.replicas = async () => {
    throw new Error('redis is away');
  };
  const away = await app.request('/api/replicas');
  expect([away.status, await away.json()]).toMatchObject([503, { code: 'queue_unavailable' }]);
});
