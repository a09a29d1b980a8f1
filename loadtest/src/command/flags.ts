import { parseArgs } from 'node:util';

/**
 * THE TABLE of flags: names, environment variables, help. Flags win over the environment. What a value may be is said in
 * settings.ts; here everything is text.
 */
export interface Flag {
  name: string;
  env: string | null;
  /** Shown in the help; null: a switch. */
  value: string | null;
  about: string;
}

export const flags = [
  {
    name: 'url',
    env: 'LT_URL',
    value: 'ADDRESS',
    about: 'the gateway, or its /query (http://localhost:8000/query)',
  },
  {
    name: 'mode',
    env: 'LT_MODE',
    value: 'MODE',
    about: 'closed, constant, poisson, steps, replay or search (closed)',
  },
  { name: 'concurrency', env: 'LT_CONCURRENCY', value: 'N', about: 'closed: requests kept in flight (50)' },
  {
    name: 'rate',
    env: 'LT_RATE',
    value: 'R',
    about: 'constant, poisson: requests per second; search: the first it tries (10)',
  },
  { name: 'max-rate', env: 'LT_MAX_RATE', value: 'R', about: 'search: the highest it tries (2000)' },
  { name: 'steps', env: 'LT_STEPS', value: 'R,R,…', about: 'steps: the rates, one after the other' },
  {
    name: 'step-duration',
    env: 'LT_STEP_DURATION',
    value: 'TIME',
    about: 'steps, search: of each rate (10s)',
  },
  { name: 'replay', env: 'LT_REPLAY', value: 'FILE', about: 'replay: JSON lines {"offset_ms","query"?}' },
  { name: 'duration', env: 'LT_DURATION', value: 'TIME', about: 'measured time, after the warm-up (30s)' },
  {
    name: 'requests',
    env: 'LT_REQUESTS',
    value: 'N',
    about: 'so many requests instead; with both, whichever ends first',
  },
  {
    name: 'warmup',
    env: 'LT_WARMUP',
    value: 'TIME',
    about: 'before the measured time, in no figure (5s; 0s with --requests or replay)',
  },
  { name: 'timeout', env: 'LT_TIMEOUT', value: 'TIME', about: 'until a whole answer (30s)' },
  {
    name: 'max-in-flight',
    env: 'LT_MAX_IN_FLIGHT',
    value: 'N',
    about: 'open modes: what is due beyond is dropped and counted (1000)',
  },
  {
    name: 'slo',
    env: 'LT_SLO',
    value: 'TERMS',
    about: 'objectives, all must hold: p99<3s,err<1%,ttft_p99<1s,rate>50 (p99<3s,err<1%)',
  },
  {
    name: 'stream',
    env: 'LT_STREAM',
    value: null,
    about: 'ask for streams: time to the first token, gaps between tokens',
  },
  {
    name: 'cache',
    env: 'LT_CACHE',
    value: 'MODE',
    about: 'bypass, default, refresh, or omit to leave the field out (bypass)',
  },
  { name: 'collection', env: 'LT_COLLECTION', value: 'NAME', about: 'documents to ask (as without)' },
  { name: 'top-k', env: 'LT_TOP_K', value: 'K', about: 'passages to look at (as without)' },
  {
    name: 'questions',
    env: 'LT_QUESTIONS',
    value: 'FILE',
    about: 'one a line, text or {"query","expected"?} (built-in questions)',
  },
  { name: 'mix', env: 'LT_MIX', value: 'SHARES', about: 'query=0.9,ingest=0.1 (query=1)' },
  {
    name: 'api-key',
    env: 'LT_API_KEY',
    value: 'KEY',
    about: 'repeatable, or comma-separated: each is a tenant; also VORTEX_API_KEY',
  },
  {
    name: 'tenants',
    env: 'LT_TENANTS',
    value: 'PAIRS',
    about: 'name=key,name=key,… or @FILE of such lines: who asks by turns, each with a P99 of its own',
  },
  {
    name: 'seed',
    env: 'LT_SEED',
    value: 'N',
    about: 'same seed and settings, same plan and order of questions (1)',
  },
  {
    name: 'trace-share',
    env: 'LT_TRACE_SHARE',
    value: 'SHARE',
    about: 'of the requests, marked as to be traced (0.1)',
  },
  {
    name: 'marks',
    env: 'LT_MARKS',
    value: 'FILE',
    about: 'what is done to the target meanwhile: lines "TIME text", read when the run has ended',
  },
  {
    name: 'metrics',
    env: 'LT_METRICS',
    value: 'PAGES',
    about: 'of the target, read each second and shown beside the latencies; off: none (its /metrics)',
  },
  {
    name: 'grafana',
    env: 'LT_GRAFANA',
    value: 'ADDRESS',
    about: 'of a Grafana, where the run and its marks are written as annotations',
  },
  {
    name: 'grafana-token',
    env: 'LT_GRAFANA_TOKEN',
    value: 'TOKEN',
    about: 'of a service account there that may write them; better in the environment',
  },
  { name: 'out', env: 'LT_OUT', value: 'FOLDER', about: 'for the results (loadtest-results/<run>)' },
  { name: 'json', env: null, value: null, about: 'print summary.json and nothing else' },
  { name: 'plain', env: null, value: null, about: 'lines instead of the live view' },
] as const satisfies readonly Flag[];

export type FlagName = (typeof flags)[number]['name'];
export type RawSettings = Partial<Record<FlagName, string>>;

/** What was said, and what of it only by the environment: that may hold more than this run's mode has a use for. */
export interface SaidSettings {
  raw: RawSettings;
  environmentOnly: ReadonlySet<FlagName>;
}

/** A mistake in how it was called; exit code 1. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

/** @throws UsageProblem */
export function readFlags(words: readonly string[], environment: NodeJS.ProcessEnv): SaidSettings {
  const raw: RawSettings = {};
  for (const { name, env, value } of flags) {
    const text = env === null ? undefined : environment[env];
    if (text === undefined || text === '') continue;
    if (value !== null) raw[name] = text;
    else if (isOn(text)) raw[name] = 'true';
  }
  const sharedKey = environment.VORTEX_API_KEY;
  if (raw['api-key'] === undefined && sharedKey !== undefined && sharedKey !== '') raw['api-key'] = sharedKey;

  const environmentOnly = new Set(Object.keys(raw) as FlagName[]);

  const given = parse(words);
  for (const { name, value } of flags) {
    const found = given[name];
    if (found === undefined) continue;
    environmentOnly.delete(name);
    if (value === null) raw[name] = 'true';
    else raw[name] = Array.isArray(found) ? found.join(',') : String(found);
  }
  return { raw, environmentOnly };
}

function parse(words: readonly string[]) {
  const options = Object.fromEntries(
    flags.map(({ name, value }) => [
      name,
      { type: value === null ? ('boolean' as const) : ('string' as const), multiple: name === 'api-key' },
    ]),
  );
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageProblem(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}

function isOn(text: string): boolean {
  return !['0', 'false', 'no', 'off'].includes(text.toLowerCase());
}

export function helpText(program: string): string {
  const left = flags.map(({ name, value }) => `--${name}${value === null ? '' : ` ${value}`}`);
  const width = Math.max(...left.map(({ length }) => length));
  return [
    `${program} [flags]              load on a gateway, and what it did to it`,
    `${program} compare A B [flags]  two results (folders or summary.json): better, worse or noise`,
    `${program} self-check [--short] does the load tester itself tell the truth here?`,
    '',
    'Flags, each also as LT_… in the environment (flags win):',
    ...flags.map(({ about, env }, index) => {
      const also = env === null ? '' : `  [${env}]`;
      return `  ${(left[index] ?? '').padEnd(width)}  ${about}${also}`;
    }),
    '',
    'TIME is 500ms, 30s or 2m. Exit codes: 0 good, 1 called wrongly, 2 target not reachable, 3 objectives missed,',
    '4 run not valid, 5 worse than before (compare), 130 interrupted.',
  ].join('\n');
}
