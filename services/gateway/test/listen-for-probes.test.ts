import { expect, it } from 'vitest';
import { listenForProbes } from '../src/listen-for-probes.ts';
import { gatewayUnderTest } from './gateway-under-test.ts';

it('answers probes and metrics of this process, and nothing else', async () => {
  const { app, queue, drain } = await gatewayUnderTest();
  const probes = await listenForProbes(app, { host: '127.0.0.1', port: 0 });
  const statusOf = async (path: string) => (await fetch(`${probes.url}${path}`)).status;
  try {
    expect(await statusOf('/healthz')).toBe(200);
    expect(await statusOf('/readyz')).toBe(200);
    expect(await (await fetch(`${probes.url}/metrics`)).text()).toContain('# TYPE');
    const asked = await fetch(`${probes.url}/query`, { method: 'POST', body: '{"query":"a"}' });
    expect([asked.status, queue.submitted]).toEqual([404, []]);
    drain();
    expect(await statusOf('/readyz')).toBe(503);
  } finally {
    await probes.close();
  }
  await expect(fetch(`${probes.url}/healthz`)).rejects.toThrow();
});
