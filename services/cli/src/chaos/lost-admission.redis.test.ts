import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter } from '@vortex/queue';
import { runStages } from '@vortex/runtime';
import { until } from '@vortex/testkit';
import { type PrivateRedis, startPrivateRedis } from '@vortex/testkit/private-redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts';

/** The first thing that `swallowed-reply` found, small enough to be run each time. */
let redis: PrivateRedis;
let proxy: FaultProxy;
beforeAll(async () => {
  redis = await startPrivateRedis();
  proxy = await openFaultProxy(redis.port);
});
afterAll(async () => {
  await proxy?.close();
  await redis?.stop();
});

test('an admission whose reply is lost is sent again, and its job, over by then, does not run again', async () => {
  const runs: string[] = [];
  const stages = await runStages({
    service: 'lost-admission',
    workerName: 'lost_admission',
    redis: { url: redis.url },
    log: silentLogger,
    metrics: createMetrics('lost-admission'),
    lanes: {
      retrieve: {
        slots: 4,
        async handler(_input, { job }) {
          runs.push(job.id);
          return { kind: 'done', result: { hits: [], collection: 'default', mode: 'dense', degraded: [] } };
        },
      },
    },
    drainBudgetMs: 100,
  });
  const submitter = createSubmitter({ redis: { url: proxy.url, answerMs: 30_000 }, name: 'lost-admission' });
  await submitter.start();
  try {
    await stages.onceReady();
    const failFast = () => proxy.connections().find((connection) => connection.role() === 'fail-fast');
    for (let number = 0; number < 5; number += 1) {
      await until('the submitter is ready', () => submitter.isReady() && failFast() !== undefined);
      const before = proxy.counts().swallowed;
      failFast()?.swallowNextReply();
      const id = `lost-${number}`;
      const job = { list: 'job:retriever_in', lane: 'interactive' as const, id, cap: 100 };
      const envelope = { query: 'a question', embedding: 'AACAPwAAAAA=' };
      const ended = await submitter.submit({ ...job, deadlineAt: Date.now() + 600_000, envelope });
      expect(JSON.parse(ended)).toMatchObject({ id, status: 'completed' });
      expect(proxy.counts().swallowed).toBe(before + 1);
      // It is sent again on the new connection, before anything that is asked there after it.
      const answers = () =>
        submitter.areLive('interactive', [id]).then(
          () => true,
          () => false,
        );
      await until('it was sent again', answers);
    }
    await until('nothing runs', async () =>
      (await submitter.areLive('interactive', runs)).every((live) => !live),
    );
    expect(runs).toEqual(['lost-0', 'lost-1', 'lost-2', 'lost-3', 'lost-4']);
  } finally {
    await submitter.close();
    await stages.stop();
  }
});
