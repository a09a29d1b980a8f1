import { textOf, widthOf } from '@vortex/terminal';
import { describe, expect, it } from 'vitest';
import { renderTop } from './render-top.ts';
import type { TopReplica, TopSnapshot, TopStage } from './top-snapshot.ts';

const sizes = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
];

function stage(name: TopStage['stage'], list: string, over: Partial<TopStage> = {}): TopStage {
  const queue = { name: list, waiting: 0, oldest_age_ms: null, in_flight: 0, retry: 0, dead: 0 };
  return {
    ...queue,
    stage: name,
    lane: 'interactive',
    claimed_per_second: 12.3,
    done_per_second: 12.3,
    failed_per_second: 0,
    waited_ms: 4.2,
    service_ms: 310,
    queues: [queue],
    ...over,
  };
}

function replica(name: string, over: Partial<TopReplica> = {}): TopReplica {
  return {
    name,
    url: `http://127.0.0.1:9000/${name}`,
    state: 'up',
    load: 3,
    slots: 8,
    answers_per_second: 4.1,
    breaker: {
      state: 'closed',
      failure_ratio: 0,
      trips: 0,
      probe_in_ms: null,
      cap: null,
      first_token_ms: 255,
    },
    ...over,
  };
}

const lists = ['job:llm_in', 'job:llm_in:low', 'job:llm_in:生成器_1'];
const snapshot: TopSnapshot = {
  at: '2026-11-28T14:12:03.000Z',
  window_s: 10,
  ready: true,
  phase: 'ready',
  gateway_url: 'http://127.0.0.1:8000',
  llm: 'mock',
  uptime_s: 200,
  queries: {
    in_flight: 48,
    per_second: 12.3,
    outcomes_per_second: { ok: 12, rejected: 0.3, timeout: 0 },
    ...{ mean_ms: 290, p50_ms: 310, p95_ms: 500, p99_ms: 740, answer_cache_hit_ratio: 0.125 },
  },
  stages: [
    stage('encode', 'job:encoder_in', { waiting: 1234, oldest_age_ms: 65_000 }),
    stage('retrieve', 'job:retriever_in'),
    stage('generate', 'job:llm_in', {
      dead: 3,
      queues: lists.map((name) => ({
        ...{ name, waiting: 1, oldest_age_ms: 5, in_flight: 2, retry: 0, dead: 0 },
      })),
    }),
    stage('upload', 'queue:document_upload', { done_per_second: null, waited_ms: null }),
    stage('embed', 'job:encoder_in:low'),
  ],
  replicas: [
    replica('llm_generator_1'),
    replica('生成器_2', {
      breaker: {
        state: 'open',
        failure_ratio: 0.5,
        trips: 2,
        probe_in_ms: 1800,
        cap: null,
        first_token_ms: null,
      },
    }),
    replica('evil\x1b[2J\nname', { load: 8, state: 'draining' }),
  ],
  services: ['gateway', 'encoder', 'llm_generator_1'].map((name) => ({
    ...{ name, worker_name: name, pid: 4711, ready: name !== 'encoder', restarts: 1, rss_bytes: 2e8 },
    ...{ cpu_ratio: 0.43, reasons: name === 'encoder' ? ['redis does not answer'] : [] },
  })),
  dead_letters: 3,
  open_jobs: null,
  history: {
    queries_per_second: [null, ...Array.from({ length: 300 }, (_, index) => index % 17)],
    p95_ms: [],
  },
};

const textsOf = (...words: Parameters<typeof renderTop>) => renderTop(...words).map(textOf);

describe.each(sizes)('at $columns × $rows', (size) => {
  it('shows stages, depths, ages, replicas, breakers, dead letters and rates', () => {
    const lines = textsOf(snapshot, size);
    const screen = lines.join('\n');
    expect(screen).toMatch(
      /^Vortex {2}ready {2}http:\/\/127\.0\.0\.1:8000 {2}mock {2}up 3 min 20 s +14:12:03 UTC$/m,
    );
    expect(screen).toMatch(/questions +12\.3\/s {3}in flight 48 +ok 12\.0 {2}rejected 0\.3$/m);
    expect(screen).toContain('mean 290 ms   P50 ≈ 310 ms   P95 ≈ 500 ms   P99 ≈ 740 ms');
    expect(screen).toMatch(/jobs – {3}dead letters 3/);
    expect(screen).toMatch(/^encode .*1234 +1 min 5 s/m);
    expect(screen).toMatch(/^generate .* 3 .*12\.3/m);
    expect(screen).toMatch(/^llm_generator_1 .*3\/8 .*up +closed/m);
    expect(screen).toMatch(/^生成器_2 .*open, probe in 2 s/m);
    expect(screen).toMatch(/^evil {0,1}name/m);
    expect(screen).toContain('redis does not answer');
  });

  it('is never wider or higher than the terminal', () => {
    const many = {
      ...snapshot,
      stages: Array.from({ length: 30 }, () => snapshot.stages).flat(),
      replicas: Array.from({ length: 32 }, (_, index) => replica(`複製_${index}`)),
    };
    for (const shown of [snapshot, many]) {
      const lines = textsOf(shown, size, ['footer']);
      expect(lines.length).toBe(size.rows);
      expect(lines.at(-1)).toBe('footer');
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(size.columns);
    }
    expect(textsOf(many, size).join('\n')).toMatch(/… and \d+ more/);
  });
});

it('fits into every terminal, down to nothing', () => {
  for (const columns of [1, 5, 13, 20, 40, 79, 81, 120, 300]) {
    for (const rows of [1, 2, 5, 10, 15, 23, 60]) {
      const lines = textsOf(snapshot, { columns, rows }, ['footer']);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    }
  }
});

it('gives the lists of a stage a line where there is room', () => {
  expect(textsOf(snapshot, { columns: 200, rows: 50 }).filter((line) => line.startsWith(' └'))).toHaveLength(
    3,
  );
  expect(textsOf(snapshot, { columns: 80, rows: 24 }).filter((line) => line.startsWith(' └'))).toEqual([]);
});

it('says what it does not know, and nothing of what is not there', () => {
  const bare: TopSnapshot = {
    ...snapshot,
    ...{ ready: false, phase: 'starting', llm: null, uptime_s: null, window_s: null, dead_letters: null },
    queries: {
      ...{ in_flight: null, per_second: null, outcomes_per_second: {}, mean_ms: null, p50_ms: null },
      ...{ p95_ms: null, p99_ms: null, answer_cache_hit_ratio: null },
    },
    ...{ stages: [], replicas: [], services: [] },
    history: { queries_per_second: [null], p95_ms: [null] },
  };
  const screen = textsOf(bare, { columns: 80, rows: 24 }).join('\n');
  expect(screen).toContain('not ready (starting)');
  expect(screen).toContain('–/s   in flight –');
  expect(screen.slice(screen.indexOf('questions'))).not.toMatch(/\b0\b(?! of 0)/);
  expect(screen).not.toContain('STAGE');
});
