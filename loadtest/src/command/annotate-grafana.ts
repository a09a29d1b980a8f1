import { request } from 'undici';
import type { Summary } from '../summary-schema.ts';

const giveUpMs = 10_000;
const tag = 'vortex-loadtest';

/**
 * Writes the run, from its start to its end, and what was done meanwhile into Grafana, where the load-test dashboard
 * shows them over the target's own metrics (Grafana's HTTP API: `POST /api/annotations`, times in epoch milliseconds).
 * A Grafana that is away costs the annotations, never the run. Resolves to what went wrong; null: nothing.
 */
export async function annotateGrafana(
  { run, config, totals, marks, timeline }: Summary,
  grafana: { url: string; token: string | null },
): Promise<string | null> {
  const startMs = Date.parse(run.started_at);
  const tags = [tag, run.id];
  const notes = [
    {
      time: startMs,
      timeEnd: startMs + timeline.length * 1000,
      tags,
      text: `${config.mode}, ${totals.requests} requests, ${totals.failed} failed${run.state === 'interrupted' ? ', interrupted' : ''}`,
    },
    ...marks.map(({ at_ms, text }) => ({ time: Math.round(startMs + at_ms), tags: [...tags, 'mark'], text })),
  ];
  try {
    for (const note of notes) {
      const { statusCode, body } = await request(`${grafana.url}/api/annotations`, {
        method: 'POST',
        signal: AbortSignal.timeout(giveUpMs),
        headers: {
          'content-type': 'application/json',
          ...(grafana.token !== null && { authorization: `Bearer ${grafana.token}` }),
        },
        body: JSON.stringify(note),
      });
      await body.dump();
      if (statusCode >= 300) throw new Error(`HTTP ${statusCode}`);
    }
    return null;
  } catch (error) {
    return `the run is not annotated in Grafana: ${error instanceof Error ? error.message : error}`;
  }
}
