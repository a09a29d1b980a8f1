import { Writable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { followLevelSignal } from './log-level.ts';
import { createLogger } from './logger.ts';
import type { MetricRow } from './metric-rows/row.ts';
import { meteredServices } from './metric-rows/row.ts';
import { isClosed, metricTable } from './metric-table.ts';
import { createMetrics } from './metrics.ts';
import { probeRoutes } from './probes.ts';

describe('metric table', () => {
  const rows: [string, MetricRow][] = Object.entries(metricTable);

  it('follows the naming rules', () => {
    for (const [name, row] of rows) {
      expect(name.endsWith('_total'), name).toBe(row.kind === 'counter');
      expect('buckets' in row, name).toBe(row.kind === 'histogram');
      expect(row.help, name).toMatch(/\.$/);
      expect(row.services.length, name).toBeGreaterThan(0);
      expect(name).toMatch(/^(api_gateway|rag)_[a-z0-9_]+$/);
    }
  });

  it('has ascending buckets, and labels from closed sets without repetition', () => {
    for (const [name, { buckets = [], labels }] of rows) {
      expect(buckets, name).toEqual([...new Set(buckets)].sort((one, other) => one - other));
      for (const values of Object.values(labels)) {
        if (isClosed(values)) expect(new Set(values).size, name).toBe(values.length);
        else expect(values.boundedBy, name).not.toBe('');
      }
    }
  });

  it('takes no label value from outside of its set', () => {
    const metrics = createMetrics('test');
    // @ts-expect-error: there is no such event, nor such a queue.
    metrics.add('rag_queue_jobs_total', { queue: 'job:llm_in', event: 'lost' });
    // @ts-expect-error: a tenant is never a label.
    expect(() => metrics.add('api_gateway_shared_queries_total', { tenant: 'acme' })).toThrow('tenant');
  });
});

describe('createMetrics', () => {
  it('shows what was counted, and keeps the rest when a collector fails', async () => {
    const metrics = createMetrics('test');
    metrics.add('rag_queue_jobs_total', { queue: 'job:llm_in', event: 'claimed' });
    metrics.observe('rag_queue_wait_seconds', { queue: 'job:llm_in' }, 0.02);
    metrics.beforeScrape(() => Promise.reject(new Error('redis is away')));
    metrics.beforeScrape(() => metrics.set('api_gateway_replica_load', { replica: 'http://r' }, 3));
    const { body } = await metrics.render();
    expect(body).toContain('rag_queue_jobs_total{queue="job:llm_in",event="claimed",service="test"} 1');
    expect(body).toContain('rag_queue_wait_seconds_bucket{le="0.025",service="test",queue="job:llm_in"} 1');
    expect(body).toContain('api_gateway_replica_load{replica="http://r",service="test"} 3');
  });

  it.each(meteredServices)('begins every counter of %s at 0 but those whose owner does', async (service) => {
    // Of lists (runtime, job-tally.ts), of replicas (gateway, replica-gauge.ts), of documents (ingest, ingest-ends.ts).
    const begunByOwner =
      /^rag_(queue_jobs|dead_letters|replica_transitions|ingest_(documents|bytes|pages|chunks))_total$/;
    const { body } = await createMetrics(service).render();
    const rows: [string, MetricRow][] = Object.entries(metricTable);
    for (const [name, { kind, services }] of rows) {
      if (kind !== 'counter' || begunByOwner.test(name) || !services.some((one) => one === service)) continue;
      expect(body, name).toMatch(new RegExp(`^${name}\\{.*\\} 0$`, 'm'));
    }
  });

  it('is read also when something it mirrors hangs', async () => {
    const metrics = createMetrics('test', { enabled: true, collectMs: 1 });
    metrics.add('rag_queue_jobs_total', { queue: 'job:llm_in', event: 'claimed' });
    metrics.beforeScrape(() => new Promise(() => {}));
    for (const _ of ['a first scrape', 'the next']) {
      const { body } = await metrics.render();
      expect(body).toContain('rag_queue_jobs_total{queue="job:llm_in",event="claimed",service="test"} 1');
    }
  });

  it('begins counters of closed labels at 0, and shows nothing of what is not known', async () => {
    const { body } = await createMetrics('gateway').render();
    expect(body).toContain('api_gateway_queries_total{outcome="refused",mode="stream",service="gateway"} 0');
    expect(body).toMatch(/rag_build_info\{version="[^"]+",node="[^"]+",service="gateway"\} 1/);
    expect(body).not.toMatch(/^api_gateway_inflight_queries/m);
    expect(body).not.toContain('rag_embedding_texts_total');
  });

  it('shows trace ids to who reads OpenMetrics, and leaves the other format as it was', async () => {
    const metrics = createMetrics('test');
    const labels = { stage: 'encode', outcome: 'forwarded' } as const;
    metrics.observe('rag_stage_duration_seconds', labels, 0.2, 'a'.repeat(32));
    metrics.observe('rag_stage_duration_seconds', labels, 0.4);
    metrics.add('rag_ingest_swept_total', {}, 2);
    const [open, plain] = await Promise.all([
      metrics.render('application/openmetrics-text;version=1.0.0,text/plain;q=0.5'),
      metrics.render('text/plain'),
    ]);
    expect(open.contentType).toContain('application/openmetrics-text');
    expect(open.body).toMatch(/_bucket\{le="0.25",.*\} 1 # \{trace_id="a{32}"\} 0.2 \d+/);
    expect(open.body).toMatch(
      /^# TYPE rag_ingest_swept counter\nrag_ingest_swept_total\{service="test"\} 2$/m,
    );
    expect(open.body.endsWith('# EOF\n')).toBe(true);
    expect(plain.body).not.toContain('trace_id');
    expect(plain.body).toContain('# TYPE rag_ingest_swept_total counter');
    expect(plain.body).toContain('rag_ingest_swept_total{service="test"} 2');
  });

  it('stays below 200 kB for a gateway that has served everything', async () => {
    const metrics = createMetrics('gateway');
    const { outcome, mode, cache } = metricTable.api_gateway_query_latency_seconds.labels;
    for (const ended of outcome)
      for (const asked of mode)
        for (const from of cache) {
          const mayBeKept = asked !== 'async' && (ended === 'ok' || ended === 'refused');
          if (from !== 'miss' && !mayBeKept) continue;
          const labels = { outcome: ended, mode: asked, cache: from };
          metrics.observe('api_gateway_query_latency_seconds', labels, 0.2, 'a'.repeat(32));
        }
    for (let place = 0; place < 50; place += 1) {
      const route = `/api/collections/{name}/${place}`;
      for (const status_class of place % 2 === 0 ? (['2xx', '4xx'] as const) : (['2xx'] as const))
        metrics.observe(
          'api_gateway_http_request_duration_seconds',
          { method: 'GET', route, status_class },
          0.2,
        );
    }
    const { body } = await metrics.render('application/openmetrics-text');
    expect(Buffer.byteLength(body)).toBeLessThan(200_000);
  });
});

describe('probeRoutes', () => {
  it('keeps liveness apart from readiness', async () => {
    const app = probeRoutes({
      readiness: () => ({ ready: false, reasons: ['Redis does not answer'] }),
      metrics: createMetrics('test'),
    });
    expect((await app.request('/healthz')).status).toBe(200);
    const ready = await app.request('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, reasons: ['Redis does not answer'] });
    expect(await (await app.request('/metrics')).text()).toContain('process_cpu_seconds_total');
  });
});

describe('followLevelSignal', () => {
  it('goes to debug and back, at run time', () => {
    const lines: string[] = [];
    const log = createLogger({
      service: 'test',
      level: 'warn',
      destination: new Writable({
        write: (piece, _encoding, done) => {
          lines.push(String(piece));
          done();
        },
      }),
    });
    const before = process.listeners('SIGUSR2');
    followLevelSignal(log);
    onTestFinished(() => {
      for (const listener of process.listeners('SIGUSR2'))
        if (!before.includes(listener)) process.off('SIGUSR2', listener);
    });
    process.emit('SIGUSR2');
    expect(log.level).toBe('debug');
    expect(lines.join('').match(/"level":/g)).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', log_level: 'debug' });
    process.emit('SIGUSR2');
    expect(log.level).toBe('warn');
  });
});

describe('createLogger', () => {
  it('writes one JSON line per event and masks keys', () => {
    const lines: string[] = [];
    const destination = new Writable({
      write(piece, _encoding, done) {
        lines.push(String(piece));
        done();
      },
    });
    const log = createLogger({ service: 'test', destination });
    log.info({ job_id: 'qry_1', llm: { openai_api_key: 'sk-secret' } }, 'asked');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      service: 'test',
      level: 'info',
      job_id: 'qry_1',
      msg: 'asked',
    });
    expect(lines[0]).not.toContain('sk-secret');
  });
});
