import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeadLetterSummary } from '@vortex/contracts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, getJson, postJson } from './http.ts';
import { type Collector, startCollector } from './otlp.ts';
import { type Stack, startStack } from './stack.ts';
import { openTerminal, type RealTerminal, terminalMissing } from './terminal.ts';

let stack: Stack;
let redis: Redis;
let collector: Collector;

beforeAll(async () => {
  // Long enough to be found and killed in the middle of an answer.
  collector = await startCollector();
  stack = await startStack({
    set: ['mock_llm.latency_ms=2500'],
    // Only what a caller wants to see traced is.
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  });
  redis = new Redis(stack.redisUrl, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
  await collector?.close();
});

/** Kills the generator that makes this answer, once the job has been delivered again so often. */
async function killItsGenerator(id: string, redelivered: number): Promise<void> {
  const pid = await eventually(
    async () => {
      for (const list of await redis.keys('job:llm_in*:proc:*')) {
        for (const element of await redis.lrange(list, 0, '-1')) {
          const job = JSON.parse(element);
          const isIt = job.id === id && (job.redelivered ?? 0) === redelivered;
          if (isIt) return /^job:llm_in.*:proc:.*-(\d+)-\w+$/.exec(list)?.[1];
        }
      }
      return null;
    },
    30_000,
    `delivery ${redelivered + 1} of ${id}`,
  );
  process.kill(Number(pid), 'SIGKILL');
}

/** As an operator types it. */
async function dead(...words: string[]) {
  const { code, output, errors } = await stack.vortex('dead', ...words, '--json');
  return { code, errors, body: output === '' ? null : JSON.parse(output) };
}

const letters = (count: number, ...words: string[]): Promise<DeadLetterSummary[]> =>
  eventually(
    async () => {
      const found: DeadLetterSummary[] = (await dead('list', ...words)).body.dead_letters;
      return found.length === count ? found : null;
    },
    30_000,
    `${count} dead letters`,
  );

const ended = (id: string) =>
  eventually(
    async () => {
      const { body } = await getJson(`${stack.url}/api/jobs/${id}`);
      return body.completed_at === null ? null : body;
    },
    30_000,
    `the end of ${id}`,
  );

describe('vortex dead', () => {
  it('lists, shows and drops what was forged', async () => {
    await redis.rpush('job:encoder_in', '{"id":"cut', '{"id":"v9","v":9,"query":"q"}', 'x'.repeat(100_000));
    await redis.lpush('job:encoder_in:dead', 'no letter at all');
    const found = await letters(4, '--queue', 'job:encoder_in');
    expect(found.map(({ code }) => code).sort()).toEqual([
      ...['invalid_envelope', 'invalid_envelope', 'invalid_letter', 'unsupported_version'],
    ]);
    const id = found.find(({ job_id }) => job_id === 'v9')?.id ?? '';
    expect((await dead('show', id)).body).toMatchObject({ raw: '{"id":"v9","v":9,"query":"q"}' });
    const redriven = await dead('redrive', '--queue', 'job:encoder_in');
    expect([redriven.code, redriven.body.results.length]).toEqual([1, 4]);
    const table = await stack.vortex('dead', 'list');
    expect(table.output).toMatch(/unsupported_version/);
    expect((await dead('drop', id)).body).toEqual({ dropped: 1 });
    expect((await dead('drop', '--queue', 'job:encoder_in', '--yes')).body).toEqual({ dropped: 3 });
    expect(await redis.keys('dead:size:*')).toEqual([]);
  });

  it('redrives what failed, once its cause is mended', async () => {
    const job = {
      id: 'mended',
      query: 'What is a lease?',
      collection: 'later',
      deadline_at: Date.now() + 3000,
    };
    await redis.rpush('job:encoder_in', JSON.stringify(job));
    const [letter] = await letters(1, '--code', 'collection_not_found');
    expect(letter).toMatchObject({ job_id: 'mended', queue: 'job:retriever_in', stage: 'retrieve' });
    expect((await postJson(`${stack.url}/api/collections`, { name: 'later' })).status).toBe(201);
    await eventually(async () => Date.now() > job.deadline_at, 10_000, 'the deadline has passed');
    const dry = await dead('redrive', '--all', '--dry-run');
    expect([dry.code, dry.body.results]).toMatchObject([0, [{ outcome: 'would_redrive' }]]);
    const done = await dead('redrive', letter?.id ?? '');
    expect([done.code, done.body.results]).toMatchObject([
      0,
      [{ outcome: 'redriven', job_id: 'mended', deadline_renewed: true }],
    ]);
    expect(await ended('mended')).toMatchObject({ status: 'completed', error: null });
    await letters(0);
  });

  it('redrives what was poison: killed with its generator three times, alone the last time', async () => {
    const job = { id: 'deadly', query: 'What is a lease?', deadline_at: Date.now() + 240_000 };
    await redis.rpush('job:encoder_in', JSON.stringify(job));
    for (let before = 0; before < 3; before += 1) await killItsGenerator('deadly', before);
    const [letter] = await letters(1, '--code', 'poison');
    expect(letter).toMatchObject({ job_id: 'deadly', queue: 'job:llm_in', attempts: 3 });
    await eventually(async () => (await stack.status()).ready, 30_000, 'every service is back');
    expect((await dead('redrive', letter?.id ?? '')).code).toBe(0);
    expect(await ended('deadly')).toMatchObject({ status: 'completed' });
    await letters(0);
  });
});

describe('a question whose generator is killed', () => {
  it('is answered, and its second delivery is a trace of its own, linked to the question', async () => {
    const traceId = 'd4'.repeat(16);
    const asked = postJson(
      `${stack.url}/query`,
      { query: 'What is a redelivery?', cache: 'bypass' },
      { headers: { traceparent: `00-${traceId}-c0ffee0000000001-01` } },
    );
    const [id = ''] = await eventually(
      async () => {
        const live = await redis.zrange('job:live', 0, '-1');
        return live.length === 1 ? live : null;
      },
      5_000,
      'the question is under way',
    );
    await killItsGenerator(id, 0);
    expect(await asked).toMatchObject({ status: 200, body: { id } });

    const again = await eventually(
      async () =>
        collector
          .spans()
          .find(({ name, attributes }) => name === 'generate' && attributes['vortex.job.id'] === id),
      15_000,
      'the span of the second delivery',
    );
    // Each process exports at its own time; the gateway's span ends last.
    const root = await eventually(
      async () => collector.ofTrace(traceId).find(({ name }) => name === 'POST /query'),
      15_000,
      'the span of the question',
    );
    const own = collector.ofTrace(traceId);
    expect(again).toMatchObject({ parentSpanId: '', links: [{ traceId, spanId: root.spanId }] });
    expect(again.attributes).toMatchObject({ 'vortex.redelivered': 1, 'vortex.attempt': 1 });
    expect(again.traceId).not.toBe(traceId);
    // What was done before the kill stands in the question's own trace; the killed run could tell nobody.
    expect(own.map(({ name }) => name)).toEqual(expect.arrayContaining(['encode', 'retrieve']));
    expect(own.map(({ name }) => name)).not.toContain('generate');
    await eventually(async () => (await stack.status()).ready, 30_000, 'every service is back');
  });
});

describe('views in a terminal', () => {
  const given = { alternate: false, cursor: true, wraps: true };
  const taken = { alternate: true, cursor: false, wraps: false };
  const screenOf = (terminal: RealTerminal, shows: RegExp) =>
    eventually(
      async () => {
        const lines = await terminal.screen();
        return shows.test(lines.join('\n')) ? lines : null;
      },
      20_000,
      `a screen with ${shows}`,
    );
  const stateIs = (terminal: RealTerminal, wanted: typeof given) =>
    eventually(
      async () => JSON.stringify(await terminal.state()) === JSON.stringify(wanted),
      10_000,
      JSON.stringify(wanted),
    );
  const launcher = new URL('../vortex', import.meta.url).pathname;

  it('vortex top shows a live run, follows the size of the terminal and gives it back', async ({ skip }) => {
    skip(terminalMissing !== false, terminalMissing || '');
    await redis.rpush('job:encoder_in', 'not readable');
    const asked = Array.from({ length: 4 }, (_, number) =>
      postJson(`${stack.url}/query`, { query: `What is lease ${number}?`, cache: 'bypass' }),
    );
    const terminal = await openTerminal(80, 24);
    try {
      await terminal.type(`${launcher} top --interval 0.3 --data ${stack.data}`, 'Enter');
      const small = await screenOf(terminal, /in flight 4\b/);
      expect(small[0]).toMatch(/^Vortex {2}ready .* UTC$/);
      expect(small.join('\n')).toMatch(/^generate .*\n(.*\n)+^REPLICA .*BREAKER/m);
      expect(await terminal.state()).toEqual(taken);
      await Promise.all(asked);
      await screenOf(terminal, /ok \d+\.\d[\s\S]*dead letters 1/);

      await terminal.resize(200, 50);
      const large = await screenOf(terminal, /^PROCESS[\s\S]*^q or Ctrl-C/m);
      expect(large.join('\n')).toMatch(/^ └ +job:llm_in:llm_generator_2/m);
      expect(large.length).toBeGreaterThanOrEqual(50);

      await terminal.type('C-c');
      await stateIs(terminal, given);
      await terminal.type('echo typed $((20 + 2))', 'Enter');
      await screenOf(terminal, /typed 22$/m);

      const pidFile = join(stack.data, 'top.pid');
      await terminal.type(
        `sh -c 'echo $$ > ${pidFile}; exec ${launcher} top --data ${stack.data}'; echo ended`,
        'Enter',
      );
      await stateIs(terminal, taken);
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
      await stateIs(terminal, given);
      await screenOf(terminal, /(^|\$ )ended$/m);
    } finally {
      await terminal.close();
    }
  });

  it('vortex loadtest shows its run, follows the size of the terminal, gives it back at Ctrl-C and reports', async ({
    skip,
  }) => {
    skip(terminalMissing !== false, terminalMissing || '');
    const out = join(stack.data, 'loadtest');
    const terminal = await openTerminal(80, 24);
    try {
      const load = '--concurrency 3 --duration 5m --warmup 0s';
      await terminal.type(
        `${launcher} loadtest ${load} --out ${out} --data ${stack.data}; echo code $?`,
        'Enter',
      );
      const small = await screenOf(terminal, /^answers +[1-9]\d* ok[\s\S]*^generate +█/m);
      expect(small[0]).toMatch(/^Load test {2}http:\/\/\S+ {2}closed, 3 in flight +measuring +\S+ s$/);
      expect(small.join('\n')).toMatch(/^requests +achieved \S+\/s +in flight 3\b/m);
      expect(small.join('\n')).toMatch(/^Ctrl-C ends the run/m);
      expect(await terminal.state()).toEqual(taken);

      await terminal.resize(200, 50);
      const large = await screenOf(terminal, /^achieved\/s +[▁-█]+$/m);
      // The bar of the largest stage takes the room that it is given.
      expect(large.length).toBeGreaterThanOrEqual(50);

      await terminal.type('C-c');
      const after = await screenOf(terminal, /^code \d+$/m);
      expect(await terminal.state()).toEqual(given);
      expect(after.join('\n')).toMatch(/^Interrupted: the figures are of what was done until then\.$/m);
      expect(after.join('\n')).toMatch(/^Results: .*report\.html\ncode 130$/m);
      const { run, totals } = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
      expect([run.state, totals.successful > 0]).toEqual(['interrupted', true]);
    } finally {
      await terminal.close();
    }
  });

  it('vortex top prints snapshots where nobody watches', async () => {
    const plain = await stack.vortex('top', '--once');
    expect([plain.code, plain.output]).toEqual([0, expect.stringMatching(/^encode +job:encoder_in /m)]);
    expect(plain.output).not.toContain('\u001b');
    const lines = await stack.vortex('top', '--once', '--json');
    expect(JSON.parse(lines.output)).toMatchObject({ ready: true, queries: { in_flight: 0 } });
    expect((await stack.vortex('dead', 'drop', '--queue', 'job:encoder_in', '--yes')).code).toBe(0);
  });
});
