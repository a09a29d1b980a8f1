import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type SloTerm, sloText } from '../measure/slo.ts';
import { numberedTenants, readTenants, type Tenant } from '../plan/tenants.ts';
import { modes, type RunConfig } from '../summary-schema.ts';
import { type FlagName, type SaidSettings, UsageProblem } from './flags.ts';

/**
 * The settings of a run, checked as a whole: a flag that the mode does not know is a mistake, not ignored. One piece,
 * because what one setting may be hangs on the others.
 */
export interface Settings {
  baseUrl: string;
  mode: RunConfig['mode'];
  concurrency: number;
  rate: number | null;
  maxRate: number;
  steps: number[] | null;
  stepMs: number;
  replayFile: string | null;
  durationMs: number | null;
  requests: number | null;
  warmupMs: number;
  timeoutMs: number;
  maxInFlight: number;
  slo: SloTerm[];
  sloText: string;
  stream: boolean;
  cache: RunConfig['cache'];
  collection: string | null;
  topK: number | null;
  questionsFile: string | null;
  ingestShare: number;
  /** Empty: nobody in particular, and no key is sent. */
  tenants: Tenant[];
  /** To be read into `tenants` before the run. */
  tenantsFile: string | null;
  seed: number;
  traceShare: number;
  marksFile: string | null;
  /** Null: the target's own, if it has one. Empty: none. */
  metricsPages: string[] | null;
  /** Where the run is annotated; null: nowhere. */
  grafana: { url: string; token: string | null } | null;
  out: string | null;
  json: boolean;
  plain: boolean;
}

function readDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(text.trim());
  if (match === null) return null;
  const [, amount, unit = 's'] = match;
  return Number(amount) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
}

const time = z.string().transform((text, context) => {
  const ms = readDuration(text);
  if (ms !== null) return ms;
  context.addIssue({ code: 'custom', message: 'must be a time like 500ms, 30s or 2m' });
  return z.NEVER;
});
const positiveTime = time.refine((ms) => ms > 0, 'must be longer than nothing');
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`);
const rate = z
  .string()
  .regex(/^\d+(\.\d+)?$/, 'must be a number of requests per second')
  .transform(Number)
  .refine((value) => value > 0 && value <= 100_000, 'must be above 0 and at most 100000 a second');
const share = z
  .string()
  .transform(Number)
  .refine((value) => value >= 0 && value <= 1, 'must be from 0 to 1');
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== ''),
);
const isSet = z
  .string()
  .optional()
  .transform((text) => text !== undefined);

const address = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    context.addIssue({ code: 'custom', message: 'must be an address like http://localhost:8000' });
    return z.NEVER;
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    context.addIssue({
      code: 'custom',
      message: 'must have no user, query or fragment; keys go to --api-key',
    });
    return z.NEVER;
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/query$/, '')}`;
});

const page = z
  .url({ protocol: /^https?$/, error: 'must be off, or addresses like http://localhost:8000/metrics' })
  .refine((text) => !text.includes('@'), 'must hold no user or password');
const pages = list.transform((words) => (words.join() === 'off' ? [] : words)).pipe(z.array(page).max(32));

/** The share of ingest requests. */
const mix = z.string().transform((text, context) => {
  const shares = { query: 0, ingest: 0 };
  for (const part of text.split(',')) {
    const [name = '', amount = ''] = part.trim().split('=');
    const value = Number(amount);
    if (!(name in shares) || amount === '' || !(value >= 0)) {
      context.addIssue({ code: 'custom', message: 'must look like query=0.9,ingest=0.1' });
      return z.NEVER;
    }
    shares[name as keyof typeof shares] = value;
  }
  const sum = shares.query + shares.ingest;
  if (sum === 0 || shares.query === 0) {
    context.addIssue({ code: 'custom', message: 'must have some queries' });
    return z.NEVER;
  }
  return shares.ingest / sum;
});

/** Pairs, or `@` and the file that holds them. */
const tenants = z.string().transform((text, context) => {
  if (text.startsWith('@')) return { list: [], file: text.slice(1) };
  try {
    return { list: readTenants(text), file: null };
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

const schema = z.object({
  url: address.prefault('http://localhost:8000/query'),
  mode: z.enum(modes).prefault('closed'),
  concurrency: whole(1, 10_000).prefault('50'),
  rate: rate.optional(),
  'max-rate': rate.prefault('2000'),
  steps: list.pipe(z.array(rate).min(1)).optional(),
  'step-duration': positiveTime.prefault('10s'),
  replay: z.string().optional(),
  duration: positiveTime.optional(),
  requests: whole(1, 100_000_000).optional(),
  warmup: time.optional(),
  timeout: positiveTime.prefault('30s'),
  'max-in-flight': whole(1, 20_000).prefault('1000'),
  slo: z.string().prefault('p99<3s,err<1%'),
  stream: isSet,
  cache: z.enum(['bypass', 'default', 'refresh', 'omit']).prefault('bypass'),
  collection: z.string().optional(),
  'top-k': whole(1, 50).optional(),
  questions: z.string().optional(),
  mix: mix.prefault('query=1'),
  'api-key': list.prefault(''),
  tenants: tenants.optional(),
  seed: whole(0, 2 ** 32 - 1).prefault('1'),
  'trace-share': share.prefault('0.1'),
  marks: z.string().optional(),
  metrics: pages.optional(),
  grafana: address.optional(),
  'grafana-token': z.string().optional(),
  out: z.string().optional(),
  json: isSet,
  plain: isSet,
});

const secret: ReadonlySet<FlagName> = new Set(['api-key', 'tenants', 'grafana-token']);

/** Of an address that is none, too, all before its last @ may be a password, and its query may hold a key. */
function withoutCredentials(text: string): string {
  return text.replace(/^.*@/s, '…@').replaceAll(/\?[^\s,]*/g, '?…');
}

/** @throws UsageProblem that names every problem there is */
export function readSettings(said: SaidSettings): Settings {
  const { raw } = said;
  const parsed = schema.safeParse(raw);
  const problems: string[] = [];
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const [name = ''] = path as FlagName[];
      // A key must not stand in a log.
      const said = raw[name as FlagName] ?? '';
      const shown = secret.has(name as FlagName) ? '' : ` ${JSON.stringify(withoutCredentials(said))}`;
      problems.push(`--${name}${shown}: ${message}`);
    }
  }
  const slo = sloText.safeParse(raw.slo ?? 'p99<3s,err<1%');
  if (!slo.success) problems.push(...slo.error.issues.map(({ message }) => `--slo: ${message}`));
  if (!parsed.success || !slo.success) throw new UsageProblem(problems.join('\n'));
  const values = parsed.data;

  const { mode } = values;
  problems.push(...misfits(said, mode));
  if (problems.length > 0) throw new UsageProblem(problems.join('\n'));
  // Whatever else the environment holds is of no use to this mode.
  const fits = (name: FlagName) => flagModes[name]?.includes(mode) ?? true;
  const requests = fits('requests') ? (values.requests ?? null) : null;
  const defaultMs = fits('duration') && requests === null ? 30_000 : null;
  const durationMs = fits('duration') ? (values.duration ?? defaultMs) : null;
  const hasNoWarmup = requests !== null || mode === 'replay';
  return {
    baseUrl: values.url,
    mode,
    concurrency: values.concurrency,
    rate: fits('rate') ? (values.rate ?? (mode === 'search' ? 10 : null)) : null,
    maxRate: values['max-rate'],
    steps: fits('steps') ? (values.steps ?? null) : null,
    stepMs: values['step-duration'],
    replayFile: fits('replay') ? (values.replay ?? null) : null,
    durationMs,
    requests,
    warmupMs: values.warmup ?? (hasNoWarmup ? 0 : 5_000),
    timeoutMs: values.timeout,
    maxInFlight: values['max-in-flight'],
    slo: slo.data,
    sloText: values.slo,
    stream: values.stream,
    cache: values.cache === 'omit' ? null : values.cache,
    collection: values.collection ?? null,
    topK: values['top-k'] ?? null,
    questionsFile: values.questions ?? null,
    ingestShare: values.mix,
    tenants: values.tenants?.list ?? numberedTenants(values['api-key']),
    tenantsFile: values.tenants?.file ?? null,
    seed: values.seed,
    traceShare: values['trace-share'],
    marksFile: values.marks ?? null,
    metricsPages: values.metrics ?? null,
    grafana:
      values.grafana === undefined ? null : { url: values.grafana, token: values['grafana-token'] ?? null },
    out: values.out ?? null,
    json: values.json,
    plain: values.plain,
  };
}

/** Flags with a mode of their own, and what each mode cannot do without. */
const flagModes: Partial<Record<FlagName, readonly RunConfig['mode'][]>> = {
  rate: ['constant', 'poisson', 'search'],
  'max-rate': ['search'],
  steps: ['steps'],
  'step-duration': ['steps', 'search'],
  replay: ['replay'],
  duration: ['closed', 'constant', 'poisson'],
  requests: ['closed', 'constant', 'poisson'],
};
const needed: Partial<Record<RunConfig['mode'], FlagName>> = {
  constant: 'rate',
  poisson: 'rate',
  steps: 'steps',
  replay: 'replay',
};

function misfits({ raw, environmentOnly }: SaidSettings, mode: RunConfig['mode']): string[] {
  const problems: string[] = [];
  for (const [name, fitting] of Object.entries(flagModes)) {
    const isSaid = raw[name as FlagName] !== undefined && !environmentOnly.has(name as FlagName);
    if (isSaid && !fitting.includes(mode)) {
      problems.push(`--${name} means nothing in mode ${mode} (it belongs to ${fitting.join(', ')})`);
    }
  }
  const isGiven = (name: FlagName) => raw[name] !== undefined && !environmentOnly.has(name);
  if (isGiven('tenants') && isGiven('api-key')) problems.push('--tenants and --api-key exclude each other');
  const missing = needed[mode];
  if (missing !== undefined && raw[missing] === undefined) problems.push(`mode ${mode} needs --${missing}`);
  return problems;
}

/** What the summary says of the settings; nothing secret is in it. */
export function runConfigOf(
  settings: Settings,
  questions: RunConfig['questions'],
  questionsHash: string,
): RunConfig {
  const comparable = {
    mode: settings.mode,
    concurrency: settings.concurrency,
    rate: settings.rate,
    steps: settings.steps,
    step_duration_ms: settings.stepMs,
    duration_ms: settings.durationMs,
    requests: settings.requests,
    warmup_ms: settings.warmupMs,
    timeout_ms: settings.timeoutMs,
    max_in_flight: settings.maxInFlight,
    seed: settings.seed,
    stream: settings.stream,
    cache: settings.cache,
    collection: settings.collection,
    top_k: settings.topK,
    ingest_share: settings.ingestShare,
    tenants: settings.tenants.length,
    slo: settings.sloText,
    questions,
  };
  const hash = createHash('sha256')
    .update(JSON.stringify([comparable, questionsHash]))
    .digest('hex')
    .slice(0, 16);
  return { url: settings.baseUrl, ...comparable, hash };
}
