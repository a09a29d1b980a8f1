import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readServiceConfig } from '@vortex/config';
import { type DeadLetterSummary, encodeVector, StageFailure, stages } from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { keys } from '@vortex/queue';
import { runStages, type StageHandler } from '@vortex/runtime';
import { openTestRedis, until } from '@vortex/testkit';
import { expect, it, onTestFinished } from 'vitest';
import { startGateway } from '../../gateway/src/start-gateway.ts';

/** The command as it is typed, against the real gateway and a worker whose stage can be mended. */
const main = new URL('../src/main.ts', import.meta.url).pathname;

// A dozen starts of the command.
it('vortex dead lists, shows, redrives and drops', async () => {
  const redis = await openTestRedis();
  onTestFinished(() => redis.close());
  const dir = await mkdtemp(join(tmpdir(), 'vortex-dead-'));
  const env = { REDIS_URL: redis.url, PORT: '0', VORTEX__DATA__DIR: dir };
  const config = readServiceConfig('gateway', { env });
  // A stalled machine is no Redis that hangs.
  const patient = { ...config, redis: { ...config.redis, answerMs: redis.answerMs } };
  const gateway = await startGateway(patient, silentLogger);
  onTestFinished(async () => {
    await gateway.stop();
    await rm(dir, { recursive: true });
  });
  let broken = true;
  const encode: StageHandler<'encode'> = async ({ query, want }) => {
    if (broken) throw new StageFailure('internal', 'the model is gone', { mayRetry: false });
    const embedding = encodeVector(new Float32Array([1, 0]));
    return { kind: 'forward', to: 'retrieve', payload: { query, want, embedding } };
  };
  const retrieve: StageHandler<'retrieve'> = async () => ({
    kind: 'done',
    result: { hits: [], collection: 'default', mode: 'dense', degraded: [] },
  });
  const stagesRun = await runStages({
    ...{ service: 'test', workerName: 'test', redis, log: silentLogger, drainBudgetMs: 100 },
    metrics: createMetrics('test'),
    lanes: { encode: { handler: encode, slots: 2 }, retrieve: { handler: retrieve, slots: 2 } },
  });
  onTestFinished(() => stagesRun.stop());

  const type = (...words: string[]) =>
    new Promise<{ code: number; output: string; errors: string }>((resolve) => {
      const args = [
        '--conditions=vortex-source',
        '--no-warnings',
        main,
        'dead',
        ...words,
        '--url',
        gateway.url,
      ];
      const child = execFile(process.execPath, args, (_error, output, errors) =>
        resolve({ code: child.exitCode ?? -1, output, errors }),
      );
    });
  const list = async () => {
    const { dead_letters } = JSON.parse((await type('list', '--json')).output);
    return dead_letters as DeadLetterSummary[];
  };

  const { list: queue } = stages.encode;
  await redis.client.rpush(
    queue,
    '{"id":"cut',
    JSON.stringify({ id: 'a', query: 'q', deadline_at: Date.now() + 60_000 }),
  );
  await redis.client.lpush(keys.dead(queue), '\u001b[31mno letter');
  await until('all are buried', async () => (await redis.client.llen(keys.dead(queue))) === 3);
  const found = await list();
  expect(found.map(({ code }) => code).sort()).toEqual(['internal', 'invalid_envelope', 'invalid_letter']);
  const id = (code: string) => found.find((letter) => letter.code === code)?.id ?? '';

  const table = await type('list', '--queue', queue);
  expect(table.output).toMatch(/^dlt_encode_\w+\s+job:encoder_in\s+a\s+internal\s+1\s.*the model is gone$/m);
  const shown = await type('show', id('invalid_letter'));
  expect(shown.output).toContain('"\\u001b[31mno letter"');
  expect(shown.output).not.toContain('\u001b');

  broken = false;
  const dry = await type('redrive', '--all', '--dry-run');
  expect([dry.code, dry.output]).toEqual([1, expect.stringMatching(/^1 of 3 would be queued again\.$/m)]);
  expect(await list()).toHaveLength(3);
  const redriven = await type('redrive', id('internal'), '--json');
  expect([redriven.code, JSON.parse(redriven.output)]).toMatchObject([
    0,
    { matched: 1, stopped_by: null, unknown: [], results: [{ job_id: 'a', outcome: 'redriven' }] },
  ]);
  await until('it is done', async () => (await redis.client.hget(keys.job('a'), 'status')) === 'completed');
  expect((await type('redrive', id('internal'))).output).toMatch(/there is no such dead letter/);

  expect((await type('drop', id('invalid_letter'))).output).toBe('1 dropped.\n');
  const refused = await type('drop', '--queue', queue);
  expect([refused.code, refused.errors]).toEqual([2, expect.stringMatching(/--yes/)]);
  expect(JSON.parse((await type('drop', '--queue', queue, '--yes', '--json')).output)).toEqual({
    dropped: 1,
  });
  expect((await type('list')).output).toBe('No dead letters.\n');
  const wrong = await type('list', '--queue', 'job:nobody');
  expect([wrong.code, wrong.errors]).toEqual([1, expect.stringMatching(/no queue of the pipeline/)]);
}, 300_000);
