import { Pool } from 'undici';

/**
 * Askers with one question each at a time, until a point in time (`performance.now`) or until `signal`. An
 * answer counts when it was asked for after `countFrom` and came before the end; what the end interrupts is
 * waited for and not counted.
 */
export async function askInClosedLoop(options: {
  url: string;
  /** Absent: none is asked for. */
  key?: string;
  collection: string;
  texts: readonly string[];
  inFlight: number;
  countFrom: number;
  until: number;
  signal?: AbortSignal;
  /** `/query` without; what `request` holds is sent beside the question. Caches are passed by unless it says otherwise. */
  path?: '/query' | '/search';
  request?: Readonly<Record<string, unknown>>;
}): Promise<{ latencies: number[]; errors: number }> {
  const { url, collection, texts, inFlight, countFrom, until, signal } = options;
  const { path = '/query', request = {}, key } = options;
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const pool = new Pool(url, { connections: inFlight, pipelining: 1 });
  const latencies: number[] = [];
  let errors = 0;
  let next = 0;
  const isOver = () => signal?.aborted === true || performance.now() >= until;
  const askers = Array.from({ length: inFlight }, async () => {
    while (!isOver()) {
      const text = texts[next++ % texts.length] ?? '';
      const began = performance.now();
      const { statusCode, body } = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization },
        body: JSON.stringify({ query: text, collection, cache: 'bypass', ...request }),
      });
      await body.dump({ limit: 10_000_000 });
      if (began < countFrom || isOver()) continue;
      if (statusCode === 200) latencies.push(performance.now() - began);
      else errors++;
    }
  });
  await Promise.all(askers);
  await pool.close();
  return { latencies, errors };
}
