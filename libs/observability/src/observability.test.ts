import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { metricTable } from './metric-table.ts';
import { createMetrics } from './metrics.ts';
import { probeRoutes } from './probes.ts';

describe('metric table', () => {
  it('follows the naming rules', () => {
    for (const [name, row] of Object.entries(metricTable)) {
      expect(name.endsWith('_total'), name).toBe(row.kind === 'counter');
      expect('buckets' in row, name).toBe(row.kind === 'histogram');
      expect(row.help, name).toMatch(/\.$/);
    }
  });
});

describe('createMetrics', () => {
  it('shows what was counted, and keeps the rest when a collector fails', async () => {
    const metrics = createMetrics('test');
    metrics.add('rag_queue_jobs_total', { queue: 'q', event: 'claimed' });
    metrics.observe('rag_queue_wait_seconds', { queue: 'q' }, 0.02);
    metrics.beforeScrape(() => Promise.reject(new Error('redis is away')));
    metrics.beforeScrape(() => metrics.set('api_gateway_replica_load', { replica: 'http://r' }, 3));
    const { body } = await metrics.render();
    expect(body).toContain('rag_queue_jobs_total{queue="q",event="claimed",service="test"} 1');
    expect(body).toContain('rag_queue_wait_seconds_bucket{le="0.025",service="test",queue="q"} 1');
    expect(body).toContain('api_gateway_replica_load{replica="http://r",service="test"} 3');
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
