import { describe, expect, test } from 'vitest';
import { helpText, readFlags, UsageProblem } from './flags.ts';
import { readSettings, runConfigOf } from './settings.ts';

const settingsOf = (words: string[], environment: NodeJS.ProcessEnv = {}) =>
  readSettings(readFlags(words, environment));
function problemOf(words: string[], environment: NodeJS.ProcessEnv = {}): string {
  try {
    settingsOf(words, environment);
  } catch (error) {
    if (error instanceof UsageProblem) return error.message;
    throw error;
  }
  return 'no problem';
}

describe('what is asked for', () => {
  test('nothing: fifty in flight for 30 s after a warm-up, against the gateway of this machine', () => {
    expect(settingsOf([])).toMatchObject({
      baseUrl: 'http://localhost:8000',
      mode: 'closed',
      concurrency: 50,
      durationMs: 30_000,
      warmupMs: 5_000,
      requests: null,
      cache: 'bypass',
      sloText: 'p99<3s,err<1%',
      timeoutMs: 30_000,
      maxInFlight: 1_000,
      seed: 1,
    });
  });

  test('a number of requests: exactly those, no warm-up, no end by time', () => {
    const volley = settingsOf(['--requests', '50']);
    expect(volley).toMatchObject({ requests: 50, durationMs: null, warmupMs: 0 });
    expect(settingsOf(['--requests', '50', '--duration', '2m'])).toMatchObject({ durationMs: 120_000 });
  });

  test('the environment is heard, and flags win over it', () => {
    const environment = { LT_CONCURRENCY: '8', LT_DURATION: '500ms', LT_STREAM: '1', LT_SEED: '' };
    expect(settingsOf([], environment)).toMatchObject({
      concurrency: 8,
      durationMs: 500,
      stream: true,
      seed: 1,
    });
    expect(settingsOf(['--concurrency', '9'], environment)).toMatchObject({ concurrency: 9 });
    expect(settingsOf([], { LT_STREAM: 'false' })).toMatchObject({ stream: false });
  });

  test('what the environment holds for another mode is no mistake, and means nothing', () => {
    const environment = { LT_DURATION: '30s', LT_RATE: '40', LT_REQUESTS: '7' };
    const search = settingsOf(['--mode', 'steps', '--steps', '1,2'], environment);
    expect(search).toMatchObject({ durationMs: null, requests: null, rate: null, warmupMs: 5_000 });
    expect(settingsOf([], { LT_RATE: '40' })).toMatchObject({ mode: 'closed', rate: null });
    expect(problemOf(['--rate', '20'], { LT_RATE: '40' })).toContain('--rate means nothing in mode closed');
  });

  test.each([
    ['http://host:8000', 'http://host:8000'],
    ['http://host:8000/', 'http://host:8000'],
    ['http://host:8000/query', 'http://host:8000'],
    ['https://host/rag/query/', 'https://host/rag'],
  ])('--url %s is the gateway %s', (url, base) => {
    expect(settingsOf(['--url', url]).baseUrl).toBe(base);
  });

  test('keys are tenants, and are written nowhere', () => {
    const settings = settingsOf(['--api-key', 'one,two', '--api-key', 'three']);
    expect(settings.tenants.map(({ key }) => key)).toEqual(['one', 'two', 'three']);
    expect(settingsOf([], { VORTEX_API_KEY: 'shared' }).tenants).toEqual([
      { name: 'tenant-1', key: 'shared' },
    ]);
    const config = runConfigOf(settings, { source: 'built in', count: 1 }, 'x');
    expect(config.tenants).toBe(3);
    expect(JSON.stringify(config)).not.toMatch(/one|two|three/);
  });

  test('tenants have names, and their keys are written nowhere either', () => {
    const settings = settingsOf(['--tenants', 'acme=secret1,beta=secret2'], { VORTEX_API_KEY: 'shared' });
    expect(settings.tenants).toEqual([
      { name: 'acme', key: 'secret1' },
      { name: 'beta', key: 'secret2' },
    ]);
    expect(settingsOf([], { LT_TENANTS: '@keys.txt' })).toMatchObject({
      tenants: [],
      tenantsFile: 'keys.txt',
    });
    const config = runConfigOf(settings, { source: 'built in', count: 1 }, 'x');
    expect(config.tenants).toBe(2);
    expect(JSON.stringify(config)).not.toContain('secret');
    expect(problemOf(['--tenants', 'acme=secret1,secret2'])).toMatch(
      /^--tenants: pair 2 must look like[^2]*$/,
    );
    expect(problemOf(['--tenants', 'a=b', '--api-key', 'c'])).toContain('exclude each other');
  });

  test('a Grafana is an address, and its token a secret', () => {
    expect(settingsOf([], { LT_GRAFANA_TOKEN: 'secret' }).grafana).toBeNull();
    expect(settingsOf(['--grafana', 'http://g:3000/'], { LT_GRAFANA_TOKEN: 'secret' }).grafana).toEqual({
      url: 'http://g:3000',
      token: 'secret',
    });
  });

  test('a mix, steps and objectives', () => {
    expect(settingsOf(['--mix', 'query=3,ingest=1']).ingestShare).toBe(0.25);
    expect(settingsOf(['--mode', 'steps', '--steps', '5, 10,20']).steps).toEqual([5, 10, 20]);
    expect(settingsOf(['--slo', 'p95<250ms, err<0.5%, rate>10, ttft_p99<=1s']).slo).toEqual([
      { text: 'p95<250ms', name: 'p95', limit: 250 },
      { text: 'err<0.5%', name: 'err', limit: 0.005 },
      { text: 'rate>10', name: 'rate', limit: 10 },
      { text: 'ttft_p99<=1s', name: 'ttft_p99', limit: 1_000 },
    ]);
  });
});

describe('what makes no sense is refused', () => {
  test.each([
    [['--bogus'], /--bogus/],
    [['stray'], /stray|positional/i],
    [['--mode', 'dance'], /--mode "dance"/],
    [['--concurrency', '0'], /from 1 to/],
    [['--concurrency', '1.5'], /whole number/],
    [['--duration', 'soon'], /time like/],
    [['--url', 'localhost:8000'], /address/],
    [['--url', 'http://user:secret@host'], /--api-key/],
    [['--slo', 'p98<3s'], /p98<3s/],
    [['--mix', 'ingest=1'], /some queries/],
    [['--metrics', 'localhost:9090'], /--metrics .*off, or addresses/],
    [['--metrics', 'http://me:secret@host/metrics'], /no user or password/],
    [['--rate', '10'], /--rate means nothing in mode closed/],
    [['--mode', 'poisson'], /needs --rate/],
    [['--mode', 'steps'], /needs --steps/],
    [['--mode', 'search', '--requests', '5'], /--requests means nothing/],
  ])('%j', (words, message) => {
    expect(problemOf(words)).toMatch(message);
  });

  test('all at once, and a key is not repeated', () => {
    const problem = problemOf(['--mode', 'dance', '--concurrency', 'x', '--top-k', '900', '--slo', 'x']);
    expect(problem.split('\n').map((line) => line.split(/[ :]/)[0])).toEqual([
      '--mode',
      '--concurrency',
      '--top-k',
      '--slo',
    ]);
    expect(problemOf(['--url', 'x', '--api-key', 'secret'])).not.toContain('secret');
    for (const said of [
      'http://me:secret@host',
      'me:sec/secret@host',
      'ftp://h?key=secret',
      'http://a, x:secret@b',
    ]) {
      expect(problemOf(['--url', said]), said).not.toContain('secret');
      expect(problemOf(['--metrics', said]), said).not.toContain('secret');
    }
  });
});

test('two runs are comparable by their hash, whatever their target', () => {
  const hashOf = (words: string[], questions = 'q') =>
    runConfigOf(settingsOf(words), { source: 'built in', count: 1 }, questions).hash;
  expect(hashOf(['--url', 'http://a'])).toBe(hashOf(['--url', 'http://b', '--out', 'elsewhere']));
  expect(hashOf(['--concurrency', '49'])).not.toBe(hashOf([]));
  expect(hashOf([], 'other questions')).not.toBe(hashOf([]));
});

test('the help names every variable', () => {
  const help = helpText('loadtest');
  for (const name of ['LT_CONCURRENCY', 'LT_MAX_IN_FLIGHT', 'LT_OUT', 'LT_MIX']) expect(help).toContain(name);
});
