import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

/**
 * One of three replicas goes bad in each of the ways that language model servers do, in turn and under load, and
 * becomes well again. Nobody who asks shall notice.
 */
let stack: Stack;
const ill = 'llm_generator_2';
const inFlight = 12;

interface Reply {
  at: number;
  status: number;
  worker: string | undefined;
  /** Of a failure: what went wrong. */
  detail: string | undefined;
}
const replies: Reply[] = [];
let asking = true;
let askers: Promise<unknown>;

beforeAll(async () => {
  stack = await startStack({ set: ['mock_llm.latency_ms=150', 'mock_llm.tokens_per_second=400'] });
  askers = Promise.all(Array.from({ length: inFlight }, (_, number) => askOnAndOn(number)));
  await eventually(async () => replies.length > 100, 30_000, 'questions are answered');
});
afterAll(async () => {
  asking = false;
  await askers;
  await stack?.stop();
});

async function askOnAndOn(asker: number): Promise<void> {
  for (let round = 0; asking; round += 1) {
    const query = `What is stage number ${asker * 1000 + round} for?`;
    const { status, body } = await postJson(`${stack.url}/query`, {
      query,
      deadline_ms: 20_000,
      cache: 'bypass',
    });
    replies.push({ at: performance.now(), status, worker: body.worker, detail: body.detail });
  }
}

async function behave(behaviour: object): Promise<void> {
  const { services } = await stack.status();
  const upstream = services.find(({ worker_name }) => worker_name === ill)?.upstream_urls[0];
  await postJson(`${new URL(upstream ?? '').origin}/mock/behaviour`, behaviour);
}

const breaker = async (): Promise<string> => {
  const { body } = await getJson(`${stack.url}/api/replicas`);
  return body.replicas.find((replica: { name: string }) => replica.name === ill).breaker.state;
};

/** Of the answers since then, the part that the ill one gave. */
function shareSince(since: number): { share: number; answers: number } {
  const answered = replies.filter(({ at, status }) => at >= since && status === 200);
  const share = answered.filter(({ worker }) => worker === ill).length / Math.max(1, answered.length);
  return { share, answers: answered.length };
}

it.each([
  ['fails at once', { mode: 'error', status: 500 }],
  ['hangs after its headers', { mode: 'hang_after_headers' }],
  ['says a token a second', { mode: 'drip', latency_ms: 1000 }],
])(
  'one that %s is out within five seconds, and has its share back within a minute',
  async (_name, fault) => {
    await behave(fault);
    await eventually(async () => (await breaker()) !== 'closed', 5000, 'it is taken out');
    const out = performance.now();
    await eventually(async () => shareSince(out).answers > 100, 20_000, 'the others answer');
    expect(shareSince(out).share).toBeLessThan(0.05);

    await behave({ mode: 'ok' });
    await eventually(
      async () => {
        const { share, answers } = shareSince(performance.now() - 3000);
        return answers > 50 && share > 0.25 && share < 0.42;
      },
      60_000,
      'it has its share again',
    );
  },
  120_000,
);

it('one that a person drains takes nothing new, until it is resumed', async () => {
  const drained = await stack.vortex('replicas', 'drain', ill);
  expect(drained.output).toContain('takes nothing new');
  await eventually(async () => shareSince(performance.now() - 2000).share === 0, 10_000, 'it is idle');
  const shown = await stack.vortex('replicas', 'list');
  expect(shown.output).toMatch(new RegExp(`${ill} .* draining`));
  expect((await stack.vortex('replicas', 'resume', ill)).code).toBe(0);
  await eventually(async () => shareSince(performance.now() - 2000).share > 0.2, 20_000, 'it works again');
  expect((await stack.vortex('replicas', 'drain', 'nobody')).code).toBe(1);
}, 60_000);

it('at most one question in a hundred failed', () => {
  const failed = replies.filter(({ status }) => status !== 200);
  const told = `${failed.length} of ${replies.length}: ${JSON.stringify(failed.slice(0, 5))}`;
  expect(failed.length / replies.length, told).toBeLessThanOrEqual(0.01);
});
