import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { describeRun } from './command/describe-run.ts';
import { readFlags, UsageProblem } from './command/flags.ts';
import { main } from './command/main.ts';
import { readSettings } from './command/settings.ts';
import { writeResults } from './command/write-results.ts';
import { readRun } from './compare/read-run.ts';
import type { LiveView } from './live-view.ts';
import { runLoadTest, TargetUnreachable } from './run-load-test.ts';
import { sample } from './sample-schema.ts';
import { type Summary, summary } from './summary-schema.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
  vi.restoreAllMocks();
});

/** Answers at once; `onQuery` hears the number of each question, and may keep it waiting. */
async function gateway(onQuery: (n: number) => Promise<void> | void = () => {}): Promise<string> {
  let n = 0;
  const server = createServer(async (request, response) => {
    request.resume();
    await once(request, 'end');
    if (request.method === 'POST') await onQuery(++n);
    if (request.url === '/metrics') {
      response.end(`api_gateway_queries_total{outcome="ok"} ${n}\nrag_queue_depth{queue="job:llm_in"} 2\n`);
      return;
    }
    const timings_ms = { admit: 0.1, queue_generate: 0.1, generate: 0.2, total: 0.4 };
    const body = {
      answer: 'yes',
      answered: true,
      worker: `llm_generator_${(n % 3) + 1}`,
      cache: 'bypass',
      timings_ms,
    };
    response.writeHead(n % 10 === 9 ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  releases.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'loadtest-'));
  releases.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function watcher() {
  const calls: string[] = [];
  const view: LiveView = {
    start: () => calls.push('start'),
    update: () => calls.push('update'),
    note: () => calls.push('note'),
    end: (ended) => calls.push(ended === null ? 'end without figures' : 'end'),
  };
  return { calls, view };
}

describe('a run against a real server', () => {
  test('has every figure, and what it writes can be read again', async () => {
    const url = await gateway();
    const { calls, view } = watcher();
    const settings = readSettings(readFlags(['--url', url, '--requests', '100', '--concurrency', '4'], {}));
    const run = await runLoadTest(settings, { view, signal: new AbortController().signal });
    expect(run.summary.totals).toMatchObject({
      requests: 100,
      successful: 90,
      failed: 10,
      warmup_requests: 0,
    });
    expect(run.summary.errors).toEqual([{ outcome: 'shed', status: 503, error: 'HTTP 503', count: 10 }]);
    expect(run.summary.replicas.map(({ name }) => name)).toContain('llm_generator_2');
    expect(run.summary.stages?.rows.at(-1)?.stage).toBe('network + unaccounted');
    expect(run.summary.target).toMatchObject({
      pages: [{ url: `${url}/metrics`, missed: 0 }],
      series: [{ name: 'rag_queue_depth', label: 'job:llm_in', mean: 2 }],
      counters: [{ labels: { outcome: 'ok' }, increase: 100 }],
    });
    // A tenth failed, one per cent was allowed.
    expect(run.summary.run.exit_code).toBe(3);
    expect(calls[0]).toBe('start');
    expect(calls.at(-1)).toBe('end');

    const out = folder();
    await writeResults(run.summary, run.samples, out);
    const again = readRun(out);
    expect(summary.parse(again.summary)).toEqual(JSON.parse(JSON.stringify(run.summary)));
    expect(again.samples).toHaveLength(100);
    for (const line of again.samples ?? []) sample.parse(line);
    expect(readFileSync(join(out, 'summary.md'), 'utf8')).toContain('Throughput');
    expect(readFileSync(join(out, 'junit.xml'), 'utf8')).toContain('name="err&lt;1%"><failure');
  });

  test('metrics that somebody asked for and that are not there are said; off is off', async () => {
    const url = await gateway();
    const said: string[] = [];
    const words = ['--url', url, '--requests', '4', '--metrics'];
    const runWith = async (pages: string) =>
      await runLoadTest(readSettings(readFlags([...words, pages], {})), {
        view: { ...watcher().view, note: (line) => said.push(line) },
        signal: new AbortController().signal,
      });
    const { summary: none } = await runWith('http://127.0.0.1:1/metrics');
    expect([none.target, said]).toEqual([null, [expect.stringContaining('127.0.0.1:1/metrics')]]);
    expect((await runWith('off')).summary.target).toBeNull();
    expect(said).toHaveLength(1);
  });

  test('tenants ask by turns, each under its name with its own key, and the header is no matter to a target', async () => {
    const file = join(folder(), 'keys.txt');
    writeFileSync(file, '# for tests\nacme=secret-a\nbeta=secret-b\n');
    const url = await gateway();
    const words = ['--url', url, '--requests', '20', '--concurrency', '2', '--tenants', `@${file}`];
    const settings = readSettings(readFlags(words, {}));
    const { summary: run, samples } = await runLoadTest(settings, {
      ...watcher(),
      signal: new AbortController().signal,
    });
    expect(
      run.tenants.map(({ name, requests, response }) => [name, requests, response.p99.resolved]),
    ).toEqual([
      ['acme', 10, false],
      ['beta', 10, false],
    ]);
    expect(run.config.tenants).toBe(2);
    expect(run.fairness).toBeGreaterThan(0.9);
    expect(describeRun(run)).toMatch(/Tenants .*P99\n {2}acme +10 .*\n {2}beta +10 /);
    expect(JSON.stringify([run, samples])).not.toContain('secret');
  });

  test('marks that are written while it goes on are in its figures; what cannot be read is said', async () => {
    const file = join(folder(), 'marks.txt');
    const url = await gateway((n) => {
      if (n === 10)
        writeFileSync(file, `${new Date().toISOString()} killed it\n2020-01-01T00:00:00Z old\nhm\n`);
    });
    const words = ['--url', url, '--requests', '20', '--concurrency', '2', '--marks', file];
    const settings = readSettings(readFlags(words, {}));
    const options = { ...watcher(), signal: new AbortController().signal };
    const { summary: run } = await runLoadTest(settings, options);
    // A run of less than a second says nothing of what came of it.
    expect(run.marks).toEqual([expect.objectContaining({ text: 'killed it', effect: 'unknown' })]);
    expect(describeRun(run)).toMatch(/What was done meanwhile\n.*\n {2}killed it +0\.\d s/);
    expect(run.run.notes).toEqual([expect.stringContaining('marks: line 3')]);

    await expect(runLoadTest(settings, options)).rejects.toThrow(UsageProblem);
    rmSync(file);
    const { summary: without } = await runLoadTest(
      { ...settings, marksFile: join(folder(), 'none') },
      options,
    );
    expect([without.marks, without.run.notes]).toEqual([[], [expect.stringContaining('no marks: ENOENT')]]);
  });

  test('interrupted: the figures of what was done, exit code 130, the view is given its end', async () => {
    const interruption = new AbortController();
    const { calls, view } = watcher();
    const url = await gateway(async (n) => {
      if (n === 40) interruption.abort();
      // Nobody waits for an answer that hangs.
      if (n >= 40) await new Promise(() => {});
    });
    const settings = readSettings(readFlags(['--url', url, '--concurrency', '3', '--warmup', '0'], {}));
    const { summary: cut, samples } = await runLoadTest(settings, { view, signal: interruption.signal });
    expect(cut.run).toMatchObject({ state: 'interrupted', exit_code: 130 });
    expect(cut.totals.requests).toBe(samples.length);
    expect(samples.length).toBeGreaterThan(30);
    expect(samples.length).toBeLessThan(40);
    expect(calls.at(-1)).toBe('end');
  });

  test('an open run that has to drop is not valid: exit code 4', async () => {
    const url = await gateway(async (n) => {
      if (n <= 2) await new Promise(() => {});
    });
    const words = ['--mode', 'constant', '--rate', '200', '--requests', '20', '--max-in-flight', '2'];
    const settings = readSettings(readFlags(['--url', url, '--timeout', '500ms', ...words], {}));
    const { summary: run } = await runLoadTest(settings, {
      ...watcher(),
      signal: new AbortController().signal,
    });
    expect(run.run.exit_code).toBe(4);
    expect(run.errors.map(({ outcome }) => outcome).sort()).toEqual(['dropped', 'timeout']);
    expect(run.run.invalid.join()).toContain('18 were dropped');
  });

  test('nobody there is no run', async () => {
    const { calls, view } = watcher();
    const settings = readSettings(readFlags(['--url', 'http://127.0.0.1:1'], {}));
    const signal = new AbortController().signal;
    await expect(runLoadTest(settings, { view, signal })).rejects.toThrow(TargetUnreachable);
    expect(calls).toEqual(['end without figures']);
  });
});

describe('the command', () => {
  const labels =
    /Total Duration +[\d.]+ s\nTotal Requests +50\nSuccessful +45\nFailed +5 \(10\.00 %\)\nMin +[\d.]+ ms\nP50 +[\d.]+ ms .*\nP95 +[\d.]+ ms .*\nP99 +[\d.]+ ms +\(not resolved: 45 of 368 samples\)\nMax +[\d.]+ ms\nAverage +[\d.]+ ms\nThroughput +[\d.]+ req\/s\n/;

  test('prints the table with its labels', async () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    const words = ['--url', `${await gateway()}/query`, '--requests', '50', '--plain', '--out', folder()];
    expect(await main(words)).toBe(3);
    expect(print.mock.calls.map(([line]) => line).join('\n')).toMatch(labels);
  });

  test('with --json prints the summary and nothing else', async () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const words = ['--url', await gateway(), '--requests', '5', '--plain', '--json', '--out', folder()];
    expect(await main(words)).toBe(0);
    expect(print.mock.calls).toHaveLength(1);
    const printed: Summary = summary.parse(JSON.parse(String(print.mock.calls[0]?.[0])));
    expect(printed.totals.requests).toBe(5);
  });

  test.each([
    [['--nonsense'], 1],
    [['--url', 'http://127.0.0.1:1', '--out', tmpdir()], 2],
    [['--url', 'http://127.0.0.1:1', '--out', import.meta.filename], 1],
    [['--url', 'http://127.0.0.1:1', '--out', '/proc/x/y'], 1],
    [['compare', 'a'], 1],
    [['self-check', '--long'], 1],
    [['--help'], 0],
  ])('%j ends with exit code %i', async (words, code) => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(await main(words)).toBe(code);
    // No stack traces.
    expect(said.mock.calls.join('\n')).not.toContain('    at ');
  });
});
