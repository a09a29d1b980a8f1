import { createMetrics, metricNames, metricTable } from '@vortex/observability';
import { expect, it } from 'vitest';
import { beginCountingEnds, countEnd } from './ingest-ends.ts';

/** Begun by the runtime for each list that is served. */
const begunByRuntime = ['rag_queue_jobs_total', 'rag_dead_letters_total'];

it('every counter of the service stands at 0 from the first scrape, and no end makes a new series', async () => {
  const metrics = createMetrics('ingest');
  beginCountingEnds(metrics);
  const { body } = await metrics.render();
  const counters = metricNames.filter((name) => {
    const { kind, services } = metricTable[name];
    return kind === 'counter' && services.some((one) => one === 'ingest') && !begunByRuntime.includes(name);
  });
  expect(counters).toContain('rag_ingest_pages_total');
  for (const name of counters) expect(body, name).toMatch(new RegExp(`^${name}\\{.*\\} 0$`, 'm'));

  const seriesOf = (text: string) => text.match(/^rag_ingest_\w+_total\{.*\}/gm);
  for (const mediaType of ['application/pdf', 'text/plain', 'image/png']) {
    countEnd(metrics, 'published', { mediaType, bytes: 10, pages: 2, chunks: 3 });
    countEnd(metrics, 'rejected', { mediaType, bytes: 10 });
  }
  const { body: after } = await metrics.render();
  expect(seriesOf(after)).toEqual(seriesOf(body));
  expect(after).toMatch(/^rag_ingest_pages_total\{type="application\/pdf",outcome="published".*\} 2$/m);
});
