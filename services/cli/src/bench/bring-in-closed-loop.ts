import { Pool } from 'undici';

/**
 * One document after the other, each waited for until it can be found, until a point in time (`performance.now`). What
 * the end interrupts is waited for and not counted.
 */
export async function bringInClosedLoop(options: {
  url: string;
  key: string;
  textOf: (number: number) => string;
  until: number;
}): Promise<{ latencies: number[]; errors: number }> {
  const { url, key, textOf, until } = options;
  const pool = new Pool(url, { connections: 1 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const latencies: number[] = [];
  let errors = 0;

  async function bring(number: number): Promise<boolean> {
    const body = JSON.stringify({ title: `Quiet ${number} ${until}`, text: textOf(number) });
    const accepted = await pool.request({ path: '/api/documents', method: 'POST', headers, body });
    const { job_id: id } = (await accepted.body.json()) as { job_id?: string };
    if (accepted.statusCode !== 202 || id === undefined) return false;
    for (;;) {
      const asked = await pool.request({ path: `/api/jobs/${id}?wait=60s`, method: 'GET', headers });
      const { status } = (await asked.body.json()) as { status?: string };
      if (status === 'completed') return true;
      if (status === undefined || status === 'failed' || status === 'cancelled') return false;
    }
  }

  try {
    for (let number = 0; performance.now() < until; number += 1) {
      const began = performance.now();
      const isIn = await bring(number);
      if (!isIn) errors += 1;
      // The first of all may be the one that a flood meets; it counts like the others.
      else if (performance.now() < until || latencies.length === 0) latencies.push(performance.now() - began);
    }
  } finally {
    await pool.close();
  }
  return { latencies, errors };
}
