import { describe, expect, it } from 'vitest';
import { createDoor, type Visit } from './door.ts';

/**
 * Doors before a chain that has both limits: a list before two processors, which take 8 ms for a question, and a list
 * before sixty slots of a model. First come, first served, under a clock of the test's own.
 */
const processors = 2;
const chainMs = 8;
const slots = 60;

interface Question {
  visit: Visit;
  letInMs: number;
  generationMs: number;
  encodedMs: number;
  done(): void;
}

type Load = (ms: number) => void;

function world(options: { gateways?: number; modelMs: (ms: number) => number; jitter?: boolean }) {
  const { gateways = 1, modelMs, jitter = false } = options;
  let now = 0;
  let chance = 1;
  // A linear congruential generator: the same numbers in every run.
  const random = () => {
    chance = (chance * 48271) % 2147483647;
    return jitter ? 0.5 + chance / 2147483647 : 1;
  };
  const replicas = { capacity: () => ({ slots, isGone: false }) };
  const doors = Array.from({ length: gateways }, () => createDoor({ replicas, now: () => now }));
  const list: Question[] = [];
  const encoding: { endsMs: number; question: Question }[] = [];
  const generating: { endsMs: number; question: Question }[] = [];
  const ready: Question[] = [];
  /** Answers by tenant and second. */
  const answers: { tenant: string; endedMs: number; tookMs: number }[] = [];
  const inside = new Map<string, number>();

  async function send(tenant: string, gateway = 0, generates = true): Promise<void> {
    const sentMs = now;
    const visit = await doors[gateway]?.enter({ remainingMs: 600_000, tenant, generates });
    if (visit === undefined) throw new Error('no such gateway');
    inside.set(tenant, (inside.get(tenant) ?? 0) + 1);
    await new Promise<void>((done) => {
      const generationMs = generates ? modelMs(now) * random() : 0;
      list.push({ visit, letInMs: now, encodedMs: 0, generationMs, done });
    });
    inside.set(tenant, (inside.get(tenant) ?? 0) - 1);
    answers.push({ tenant, endedMs: now, tookMs: now - sentMs });
  }

  function work(): void {
    for (const { endsMs, question } of encoding.splice(0)) {
      if (endsMs > now) encoding.push({ endsMs, question });
      else ready.push(Object.assign(question, { encodedMs: now }));
    }
    while (encoding.length < processors) {
      const question = list.shift();
      if (question === undefined) break;
      encoding.push({ endsMs: now + chainMs * random(), question });
    }
    for (const { endsMs, question } of generating.splice(0)) {
      if (endsMs > now) generating.push({ endsMs, question });
      else {
        const { visit, letInMs, generationMs: generate, encodedMs } = question;
        const waited = encodedMs - letInMs - chainMs;
        const queue_generate = now - encodedMs - generate;
        visit.leave({ timings: { queue_encode: waited, encode: chainMs, queue_generate, generate } });
        question.done();
      }
    }
    while (generating.length < slots) {
      const question = ready.shift();
      if (question === undefined) break;
      generating.push({ endsMs: now + question.generationMs, question });
    }
  }

  return {
    answers,
    inside: (tenant: string) => inside.get(tenant) ?? 0,
    send,
    /** So many askers with one question each at a time. */
    ask(tenant: string, count: number, { gateway = 0, generates = true } = {}): Load {
      let open = 0;
      return () => {
        for (; open < count; open += 1) {
          void send(tenant, gateway, generates).then(() => {
            open -= 1;
          });
        }
      };
    },
    async run(untilMs: number, loads: readonly Load[]): Promise<void> {
      for (; now < untilMs; now += 1) {
        for (const load of loads) load(now);
        // Turns are granted in microtasks.
        for (let step = 0; step < 8; step += 1) await Promise.resolve();
        work();
      }
    },
    between(tenant: string, fromMs: number, untilMs: number) {
      const own = answers.filter(
        (one) => one.tenant === tenant && one.endedMs >= fromMs && one.endedMs < untilMs,
      );
      const sorted = own.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
      return {
        perSecond: (1000 * own.length) / (untilMs - fromMs),
        p95: sorted[Math.floor(0.95 * sorted.length)] ?? 0,
      };
    },
  };
}

const instant = () => 2;
const slow = () => 300;
/** What the processors can do. */
const most = (1000 * processors) / chainMs;

describe.each([{ jitter: false }, { jitter: true }])('a shared chain ($jitter)', ({ jitter }) => {
  it('whose processor is the limit lets a flood wait outside, a second after it began', async () => {
    const chain = world({ modelMs: instant, jitter });
    const quiet = chain.ask('quiet', 1);
    await chain.run(5000, [quiet]);
    await chain.run(20_000, [quiet, chain.ask('loud', 64)]);
    const alone = chain.between('quiet', 1000, 5000);
    const beside = chain.between('quiet', 6500, 20_000);
    // One question of the flood at a time beside it, on two processors.
    expect(beside.p95 / alone.p95).toBeLessThan(1.7);
    expect(beside.perSecond + chain.between('loud', 6500, 20_000).perSecond).toBeGreaterThan(0.65 * most);
  });

  it('whose model is the limit is filled by a flood', async () => {
    const chain = world({ modelMs: slow, jitter });
    const quiet = chain.ask('quiet', 1);
    await chain.run(5000, [quiet]);
    await chain.run(25_000, [quiet, chain.ask('loud', 200)]);
    const alone = chain.between('quiet', 1000, 5000);
    const beside = chain.between('quiet', 7000, 25_000);
    const both = beside.perSecond + chain.between('loud', 7000, 25_000).perSecond;
    expect(both).toBeGreaterThan((0.95 * (slots - 1) * 1000) / (300 + chainMs + 2));
    expect(beside.p95 / alone.p95).toBeLessThan(1.2);
  });

  it('follows a model that becomes slow, and one that becomes quick', async () => {
    const chain = world({ modelMs: (ms) => (ms > 15_000 && ms < 35_000 ? 300 : 2), jitter });
    const loads = [chain.ask('quiet', 1), chain.ask('loud', 200)];
    await chain.run(15_000, loads);
    expect(chain.inside('loud')).toBeLessThan(5);
    await chain.run(20_000, loads);
    expect(chain.inside('loud')).toBeGreaterThan(0.8 * slots);
    await chain.run(35_000, loads);
    const full = chain.between('loud', 22_000, 35_000).perSecond;
    expect(full).toBeGreaterThan((0.95 * (slots - 2) * 1000) / (300 + chainMs + 2));
    await chain.run(37_000, loads);
    expect(chain.inside('loud')).toBeLessThan(5);
  });

  it('is parted among three, and costs the quiet one no more for it', async () => {
    const chain = world({ modelMs: instant, jitter });
    const quiet = chain.ask('quiet', 1);
    await chain.run(5000, [quiet]);
    await chain.run(20_000, [quiet, chain.ask('one', 64), chain.ask('other', 64)]);
    const [one, other] = [chain.between('one', 7000, 20_000), chain.between('other', 7000, 20_000)];
    expect(one.perSecond / other.perSecond).toBeCloseTo(1, 0);
    expect(one.perSecond + other.perSecond).toBeGreaterThan(0.5 * most);
    expect(chain.between('quiet', 7000, 20_000).p95).toBeLessThan(4 * chainMs);
  });

  it('is used by floods at two gateways as by one', async () => {
    const chain = world({ gateways: 2, modelMs: instant, jitter });
    const quiet = [chain.ask('quiet', 1), chain.ask('quiet', 1, { gateway: 1 })];
    await chain.run(5000, quiet);
    const floods = [chain.ask('loud', 64), chain.ask('loud', 64, { gateway: 1 })];
    await chain.run(20_000, [...quiet, ...floods]);
    expect(chain.between('quiet', 7000, 20_000).p95).toBeLessThan(4 * chainMs);
  });

  it('waits for two rounds of a flood that is alone at another gateway', async () => {
    const chain = world({ gateways: 2, modelMs: instant, jitter });
    const quiet = chain.ask('quiet', 1);
    await chain.run(5000, [quiet]);
    await chain.run(20_000, [quiet, chain.ask('loud', 64, { gateway: 1 })]);
    expect(chain.between('quiet', 7000, 20_000).p95).toBeLessThan(12 * chainMs);
  });

  it('takes searches and long answers at once', async () => {
    const chain = world({ modelMs: slow, jitter });
    const quiet = chain.ask('quiet', 1, { generates: false });
    await chain.run(5000, [quiet]);
    await chain.run(20_000, [quiet, chain.ask('loud', 40), chain.ask('loud', 10, { generates: false })]);
    expect(chain.between('quiet', 7000, 20_000).p95).toBeLessThan(5 * chainMs);
    expect(chain.between('loud', 7000, 20_000).perSecond).toBeGreaterThan(0.6 * most);
  });
});
