import { checkMarks, loadMarks, loadQuestions, loadReplay, loadTenants } from './command/load-inputs.ts';
import { runInfo } from './command/run-info.ts';
import { runConfigOf, type Settings } from './command/settings.ts';
import { type Clock, createClock } from './drive/clock.ts';
import { closedLoop } from './drive/closed-loop.ts';
import { createMonitor, type Monitor } from './drive/monitor.ts';
import { openLoop } from './drive/open-loop.ts';
import { createRequestRunner, type Due, type RequestRunner } from './drive/request-runner.ts';
import type { RateStep } from './figures-schema.ts';
import type { LiveView } from './live-view.ts';
import { judgeStep } from './measure/rate-step.ts';
import { summarize, validity } from './measure/summarize.ts';
import { type Arrival, arrivals, countedArrivals, steppedArrivals } from './plan/arrivals.ts';
import { dealRequests } from './plan/deal-requests.ts';
import type { Sample } from './sample-schema.ts';
import { type FoundLimit, findLimit, searchResultOf } from './search/find-limit.ts';
import { createProbe } from './search/probe-rate.ts';
import type { Summary } from './summary-schema.ts';
import { createHttpTarget, type HttpTarget } from './target/http-target.ts';
import { watchTarget } from './target/watch-target.ts';

/** Nothing answers at the address; exit code 2. */
export class TargetUnreachable extends Error {
  override readonly name = 'TargetUnreachable';
}

export const exitCodes = {
  good: 0,
  usage: 1,
  unreachable: 2,
  sloMissed: 3,
  invalid: 4,
  regression: 5,
  interrupted: 130,
} as const;

const snapshotEveryMs = 500;

/**
 * One run, from the first request to its figures. `signal` ends it early: what is under way is given up, and the figures
 * are of what was done until then.
 *
 * @throws UsageProblem for files that cannot be read, TargetUnreachable
 */
export async function runLoadTest(
  said: Settings,
  options: { view: LiveView; signal: AbortSignal },
): Promise<{ summary: Summary; samples: readonly Sample[] }> {
  const { view, signal } = options;
  const settings =
    said.tenantsFile === null ? said : { ...said, tenants: loadTenants(said.tenantsFile), tenantsFile: null };
  const inputs = loadQuestions(settings.questionsFile);
  const replayed = settings.replayFile === null ? [] : loadReplay(settings.replayFile);
  if (settings.marksFile !== null) checkMarks(settings.marksFile);
  const info = runInfo(new Date());
  const { questions, source } = inputs;
  const config = runConfigOf(settings, { source, count: questions.length }, inputs.hash);
  const isOpen = settings.mode !== 'closed';
  const clock = createClock();
  const target = createHttpTarget({
    ...settings,
    clock,
    connections: isOpen ? settings.maxInFlight : settings.concurrency,
    ingestCollection: `loadtest-${info.id}`,
    apiKeys: settings.tenants.map(({ key }) => key),
  });
  const monitor = createMonitor({ headline: isOpen ? 'response' : 'service', isOpen });
  let summary: Summary | null = null;
  try {
    const { reachable, warning } = await target.probe();
    if (!reachable) throw new TargetUnreachable(`nothing answers at ${settings.baseUrl} (${warning})`);
    view.start(config);
    if (warning !== null) view.note(warning);
    const watching = await watchMetrics(settings, { clock, view });
    // The plan's zero; what came before was the probe.
    const zeroMs = clock.now();
    const runClock = from(zeroMs, clock);
    const zeroAtMs = Date.now();
    const runner = createRequestRunner({
      clock: runClock,
      target,
      signal,
      tenantNames: settings.tenants.map(({ name }) => name),
      listener: monitor,
    });
    let driven: Driven;
    let targetFigures: Summary['target'];
    try {
      driven = await watched({ settings, view, clock: runClock, runner, monitor }, (tell) =>
        drive({ settings, clock: runClock, runner, signal, view, questions, replayed, tell }),
      );
    } finally {
      targetFigures = await watching.end(zeroMs);
    }
    const { marks, problems } =
      settings.marksFile === null
        ? { marks: [], problems: [] }
        : loadMarks(settings.marksFile, { zeroAtMs, endMs: runClock.now() });
    await cleanUp(target, view);
    const { warmupMs } = settings;
    const measuredFromMs = settings.mode === 'search' ? 0 : warmupMs;
    const judgedStep = driven.limit?.confirmStep ?? null;
    const isJudged = ({ phase, step }: Due) =>
      phase === 'measured' && (judgedStep === null || step === judgedStep);
    summary = summarize({
      config,
      slo: settings.slo,
      samples: runner.samples,
      measuredFromMs,
      inFlightMean: runner.inFlightMean(measuredFromMs, settings.mode === 'search' ? isJudged : undefined),
      run: {
        ...info,
        state: signal.aborted ? 'interrupted' : 'complete',
        notes: [...notesOn(driven, runner.samples), ...problems],
      },
      marks,
      target: targetFigures,
      steps: driven.steps,
      search: driven.limit === null ? null : searchResultOf(driven.limit, settings.sloText),
      judgedStep,
    });
    summary.run.exit_code = exitCodeOf(summary);
    return { summary, samples: runner.samples };
  } finally {
    view.end(summary);
    await target.close();
  }
}

interface Driven {
  steps: RateStep[];
  limit: FoundLimit | null;
}

async function drive(run: {
  settings: Settings;
  clock: Clock;
  runner: RequestRunner;
  signal: AbortSignal;
  view: LiveView;
  questions: ReturnType<typeof loadQuestions>['questions'];
  replayed: Arrival[];
  tell: (activity: string) => void;
}): Promise<Driven> {
  const { settings, clock, runner, signal, view, tell } = run;
  const { mode, seed, warmupMs, durationMs, requests, maxInFlight, slo, stepMs } = settings;
  const deal = dealRequests({ ...settings, questions: run.questions, tenants: settings.tenants.length });
  const parts = { clock, runner, deal, signal };
  if (mode === 'closed') {
    await closedLoop({ ...parts, ...settings });
    return { steps: [], limit: null };
  }
  if (mode === 'search') {
    const probe = createProbe({ ...parts, slo, stepMs, maxInFlight, seed });
    const limit = await findLimit({
      startRate: settings.rate ?? 1,
      maxRate: settings.maxRate,
      tolerance: 0.05,
      note: view.note,
      probe(rate, purpose) {
        tell(`${purpose} at ${rate.toFixed(1)}/s`);
        return probe(rate, purpose);
      },
    });
    return { steps: limit.steps, limit };
  }
  const rates = settings.steps ?? [];
  const plan = {
    constant: () => timedArrivals('constant'),
    poisson: () => timedArrivals('poisson'),
    steps: () => steppedArrivals({ rates, warmupMs, stepMs, seed }),
    replay: () => run.replayed,
  }[mode]();
  await openLoop({ ...parts, arrivals: plan, maxInFlight, measuredFromMs: warmupMs });
  const steps = rates.map((rate, step) => {
    const samples = runner.samples.filter((sample) => sample.step === step);
    return judgeStep({ samples, slo, step, rate, purpose: 'step' });
  });
  return { steps, limit: null };

  function timedArrivals(law: 'constant' | 'poisson'): Iterable<Arrival> {
    const rate = settings.rate ?? 1;
    if (law === 'constant' || durationMs === null) {
      const untilMs = durationMs === null ? Number.POSITIVE_INFINITY : warmupMs + durationMs;
      return arrivals({ mode: law, rate, fromMs: 0, untilMs, requests, countFromMs: warmupMs, seed });
    }
    const measured = countedArrivals({ rate, fromMs: warmupMs, lengthMs: durationMs, step: null, seed });
    const warmup = countedArrivals({ rate, fromMs: 0, lengthMs: warmupMs, step: null, seed });
    return [...warmup, ...measured.slice(0, requests ?? measured.length)];
  }
}

/** Tells the view how the run is getting on, twice a second, while `work` goes on. */
async function watched<Result>(
  run: { settings: Settings; view: LiveView; clock: Clock; runner: RequestRunner; monitor: Monitor },
  work: (tell: (activity: string) => void) => Promise<Result>,
): Promise<Result> {
  const { settings, view, clock, runner, monitor } = run;
  const { warmupMs, durationMs, requests, mode } = settings;
  let activity: string | null = null;
  const timer = setInterval(() => {
    const elapsedMs = clock.now();
    const isOver = durationMs !== null && elapsedMs >= warmupMs + durationMs;
    const phase = isOver ? 'draining' : elapsedMs < warmupMs && mode !== 'search' ? 'warmup' : 'measured';
    const byTime = durationMs === null ? null : Math.min(1, elapsedMs / (warmupMs + durationMs));
    const byCount = requests === null ? null : Math.min(1, runner.samples.length / requests);
    const progress = byTime === null || byCount === null ? (byTime ?? byCount) : Math.max(byTime, byCount);
    view.update(monitor.snapshot({ elapsedMs, phase, progress, activity, inFlight: runner.inFlight }));
  }, snapshotEveryMs);
  try {
    return await work((text) => {
      activity = text;
    });
  } finally {
    clearInterval(timer);
  }
}

async function watchMetrics(settings: Settings, parts: { clock: Clock; view: LiveView }) {
  const { baseUrl, metricsPages, tenants } = settings;
  const value = tenants[0]?.key;
  const watching = await watchTarget({
    pages: metricsPages ?? [`${baseUrl}/metrics`],
    clock: parts.clock,
    key: value === undefined ? null : { origin: new URL(baseUrl).origin, value },
  });
  // That a target has none is no news, unless somebody asked for them.
  if (metricsPages !== null) for (const problem of watching.problems) parts.view.note(problem);
  return watching;
}

async function cleanUp(target: HttpTarget, view: LiveView): Promise<void> {
  try {
    await target.removeDocuments();
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    view.note(`the documents of this run could not be removed again: ${reason}`);
  }
}

function notesOn({ steps, limit }: Driven, samples: readonly Sample[]): string[] {
  const notes: string[] = [];
  const shared = samples.filter(({ cache }) => cache === 'hit' || cache === 'shared').length;
  if (shared > 0)
    notes.push(`${shared} answers came from a cache or from another's question; see the cache table`);
  const retried = samples.filter(({ attempt }) => (attempt ?? 1) > 1).length;
  if (retried > 0) notes.push(`${retried} answers needed more than one run in the pipeline`);
  // Being late makes a response time longer, so what held holds; what failed may have failed for the load tester's sake.
  const failed = limit?.steps.filter(({ rate, passed }) => !passed && rate === limit.failedRate) ?? [];
  if (failed.length > 0 && failed.every(({ lag_p99_ms }) => (lag_p99_ms ?? 0) > validity.lagP99Ms)) {
    notes.push(
      'the load tester was late where the limit was found: on another machine it may find a higher one',
    );
  }
  if (steps.some(({ growing }) => growing))
    notes.push('at the higher rates the number in flight grew without end');
  return notes;
}

/** What a person or a CI server should hear first: that it was cut short, that it is not valid, that it was too slow. */
function exitCodeOf({ run, slo, search, config }: Summary): number {
  if (run.state === 'interrupted') return exitCodes.interrupted;
  if (config.mode === 'search') return search?.found_rate == null ? exitCodes.sloMissed : exitCodes.good;
  if (run.invalid.length > 0) return exitCodes.invalid;
  return slo.met ? exitCodes.good : exitCodes.sloMissed;
}

function from(zeroMs: number, clock: Clock): Clock {
  return {
    now: () => clock.now() - zeroMs,
    sleepUntil: (atMs, signal) => clock.sleepUntil(atMs + zeroMs, signal),
  };
}
