import { fork } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import type { AttackerWord, AttackPlan, AttackResult } from '../attack/attacker-process.ts';
import { residentBytes } from '../supervisor/process-identity.ts';
import { yieldProcessor } from '../supervisor/yield-processor.ts';
import { answerable } from './floor-questions.ts';
import { percentile } from './percentile.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';

/**
 * What an attack on the gateway's socket does to everybody else: questions come at an even pace to a private stack, for a
 * while in peace, then beside 500 slow connections and 200 hostile requests (attack/hostile-requests.ts), from before the
 * first connection is opened until after all were closed at once, then in peace again. Every hostile request must be answered as its row says; the others' P99 may be twice that of peace; when the
 * attackers have gone, the gateway's memory comes back to where it was.
 */
export interface AttackBenchReport {
  machine: { cpus: number; model: string };
  questions_per_second: number;
  peace: Phase;
  attack: Phase & AttackResult & { slow: number };
  p99_ratio: number;
  /** `rested_s`: how long nothing was asked until it was back within the bound, at most a minute. */
  memory: { before_mb: number; peak_mb: number; after_mb: number; rested_s: number };
  bounds: { p99_ratio_max: number; memory_growth_mb_max: number };
  ok: boolean;
}

interface Phase {
  questions: number;
  failed: number;
  /** How. */
  failures: Record<string, number>;
  p50_ms: number;
  p99_ms: number;
  /** When in the phase, and how long. */
  slowest: { at_s: number; took_ms: number }[];
}

const bounds = { p99_ratio_max: 2, memory_growth_mb_max: 48 };
const perSecond = 20;
const peaceSeconds = 15;
const attackSeconds = 25;
/** The opening of all those connections and their end are part of the attack. */
const beforeSeconds = 1;
const afterSeconds = 2;
const slowConnections = 500;
const requests = 200;
const longestRestSeconds = 60;

export async function runAttackBench(options: {
  modelsDir: string;
  onProgress?: (line: string) => void;
}): Promise<AttackBenchReport> {
  const { modelsDir, onProgress = () => {} } = options;
  onProgress('starting a private stack');
  const stack = await startPrivateStack({ modelsDir, withDocs: true });
  const { hostname: host, port } = new URL(stack.url);
  const pool = new Pool(stack.url, { connections: 16, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const gatewayMb = await memoryOf(stack);
    onProgress('warming up');
    await askEvenly(pool, 10);
    onProgress(`${perSecond} questions a second in peace`);
    const first = await askEvenly(pool, peaceSeconds);
    const before = gatewayMb();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, gatewayMb());
    }, 200);
    onProgress(`the same beside ${slowConnections} slow connections and ${requests} hostile requests`);
    const attacker = await startAttacker({
      ...{ host, port: Number(port), seconds: attackSeconds },
      ...{ slow: slowConnections, requests },
    });
    const asked = askEvenly(pool, beforeSeconds + attackSeconds + afterSeconds);
    await delay(beforeSeconds * 1000);
    attacker.begin();
    const [during, result] = await Promise.all([asked, attacker.result]);
    clearInterval(watch);
    onProgress('in peace again');
    await askEvenly(pool, 2);
    const second = await askEvenly(pool, peaceSeconds);
    onProgress('and at rest');
    const rest = await restedMemory(gatewayMb, before);
    const peace = phaseOf([...first, ...second]);
    const attack = { ...phaseOf(during), slow: slowConnections, ...result };
    const ratio = attack.p99_ms / peace.p99_ms;
    return {
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
      questions_per_second: perSecond,
      peace,
      attack,
      p99_ratio: ratio,
      memory: { before_mb: before, peak_mb: peak, ...rest },
      bounds,
      ok:
        ratio <= bounds.p99_ratio_max &&
        peace.failed + attack.failed === 0 &&
        attack.complaints.length === 0 &&
        rest.after_mb - before <= bounds.memory_growth_mb_max,
    };
  } finally {
    await pool.close();
    await stack.stop();
  }
}

/** V8 gives back what it no longer needs when it has little to do. */
async function restedMemory(
  now: () => number,
  before: number,
): Promise<{ after_mb: number; rested_s: number }> {
  let rested = 0;
  while (now() - before > bounds.memory_growth_mb_max && rested < longestRestSeconds) {
    await delay(1000);
    rested += 1;
  }
  return { after_mb: now(), rested_s: rested };
}

interface Asked {
  /** `answered`, a status, or the code of a connection's error. */
  outcome: string;
  atS: number;
  tookMs: number;
}

/** Each at its own time, whatever became of those before. */
async function askEvenly(pool: Pool, seconds: number): Promise<Asked[]> {
  const startedAt = performance.now();
  const asked: Promise<Asked>[] = [];
  for (let at = 0; at < seconds * perSecond; at += 1) {
    const plannedAt = startedAt + (at * 1000) / perSecond;
    await delay(Math.max(0, plannedAt - performance.now()));
    asked.push(
      ask(pool, answerable[at % answerable.length] ?? '', plannedAt).then((one) => ({
        ...one,
        atS: at / perSecond,
      })),
    );
  }
  return Promise.all(asked);
}

async function ask(pool: Pool, question: string, plannedAt: number): Promise<Omit<Asked, 'atS'>> {
  const outcome = await pool
    .request({
      ...{ path: '/query', method: 'POST' },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: question, collection: 'vortex-docs', cache: 'bypass' }),
    })
    .then(
      async ({ statusCode, body }) => {
        await body.dump();
        return statusCode === 200 ? 'answered' : `status ${statusCode}`;
      },
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
  return { outcome, tookMs: performance.now() - plannedAt };
}

function phaseOf(asked: readonly Asked[]): Phase {
  const times = asked.map(({ tookMs }) => tookMs);
  const failures: Record<string, number> = {};
  for (const { outcome } of asked) {
    if (outcome !== 'answered') failures[outcome] = (failures[outcome] ?? 0) + 1;
  }
  return {
    questions: asked.length,
    failed: asked.filter(({ outcome }) => outcome !== 'answered').length,
    failures,
    p50_ms: percentile(times, 50),
    p99_ms: percentile(times, 99),
    slowest: asked
      .toSorted((one, other) => other.tookMs - one.tookMs)
      .slice(0, 8)
      .map(({ atS, tookMs }) => ({ at_s: atS, took_ms: Math.round(tookMs) })),
  };
}

async function memoryOf(stack: PrivateStack): Promise<() => number> {
  const { services } = await stack.status();
  const pid = services.find(({ name }) => name === 'gateway')?.pid ?? null;
  return () => (pid === null ? Number.NaN : (residentBytes(pid) ?? Number.NaN) / 1024 / 1024);
}

const isSource = import.meta.filename.endsWith('.ts');
const attackerFile = fileURLToPath(
  new URL(`../attack/attacker-process.${isSource ? 'ts' : 'js'}`, import.meta.url),
);

/** Resolves when it has loaded its code: that costs this machine a processor, and an attacker brings his own. */
function startAttacker(plan: AttackPlan): Promise<{ begin(): void; result: Promise<AttackResult> }> {
  return new Promise((resolve, reject) => {
    const child = fork(attackerFile, [JSON.stringify(plan)], {
      execArgv: ['--no-warnings', ...(isSource ? ['--conditions=vortex-source'] : [])],
      // A session of its own: a niceness within ours would not count against the gateway.
      detached: true,
    });
    const done = Promise.withResolvers<AttackResult>();
    // Whoever waits sees it; an attacker that dies before it has begun rejects the start.
    done.promise.catch(() => undefined);
    child.on('message', (word: AttackerWord) => {
      if (word.kind === 'ready') resolve({ begin: () => void child.send('begin'), result: done.promise });
      else done.resolve(word.result);
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      const failure = new Error(`the attacker ended early (${code})`);
      reject(failure);
      done.reject(failure);
    });
    if (child.pid !== undefined) void yieldProcessor(child.pid, 19);
  });
}
