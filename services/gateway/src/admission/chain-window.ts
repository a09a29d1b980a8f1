import { containedTimings, type TimingsMs } from '@vortex/contracts';

/**
 * How many questions the chain can work on at a time, where that is fewer than its generators have slots: where a
 * processor is the limit, what is let in beyond it only waits, and everybody else behind it.
 *
 * By Little's law as many are at work as are answered per millisecond, times the milliseconds that are no wait:
 *
 *   target = answers per ms × mean time without waits, and one more that may wait (a twelfth more where that is more)
 *
 * That is the equilibrium of FAST TCP (Jin, Wei, Low, INFOCOM 2004): of each sender so much waits, however long the path.
 * Unlike TCP it need not guess the time without waits by the shortest ever seen: an answer's timings tell it, be it
 * a search or a long generation, and however the load inflates it. With every span of answers:
 *
 *   UNKNOWN   the width is all slots. More than what may wait has waited: KNOWN
 *   KNOWN     more has waited than may:              to the target, by the rate of now; by half at most,
 *                                                    for a first moment is no mean
 *             next to nothing has, or for ten seconds
 *             not too much, and others wait outside: a quarter wider; with all slots in it UNKNOWN
 *             else:                                  the target, by the greatest rate of ten seconds, as BBR takes it
 *                                                    (Cardwell et al., ACM Queue 2016): wide at once for a slower model
 *             for ten seconds nobody waited:         UNKNOWN
 *
 * Several gateways see the same waits and each its own rate: their widths add up, and each leaves its one waiting.
 */
export class ChainWindow {
  #span = emptySpan(undefined);
  /** Of spans that began with questions waiting, and ended so. */
  #full: { at: number; answers: number; passedMs: number }[] = [];
  #wasFull = false;
  /** Null: UNKNOWN. */
  #width: number | null = null;
  #crowdedAt = Number.NEGATIVE_INFINITY;
  /** Mean of an answer, without its waits. */
  #workMs = 0;

  /** An answer has come `tookMs` after its question was let in; `hasLine`: others wait before the chain. */
  answered(
    answer: { tookMs: number; timings: TimingsMs },
    now: number,
    slots: number,
    hasLine: boolean,
  ): void {
    this.#span.since ??= now - answer.tookMs;
    const waitMs = Math.min(answer.tookMs, waitOf(answer));
    this.#span.answers += 1;
    this.#span.waitMs += waitMs;
    this.#span.workMs += answer.tookMs - waitMs;
    const passedMs = now - this.#span.since;
    if (passedMs < spanMs || this.#span.answers < spanAnswers) return;
    this.#width = this.#judge(now, passedMs, slots, hasLine);
    if (this.#width !== null && this.#width >= slots) this.#width = null;
    this.#span = emptySpan(now);
  }

  width(slots: number): number {
    return this.#width === null ? slots : Math.min(slots, this.#width);
  }

  #judge(now: number, passedMs: number, slots: number, hasLine: boolean): number | null {
    const { answers, waitMs, workMs } = this.#span;
    this.#workMs = this.#workMs === 0 ? workMs / answers : (this.#workMs + workMs / answers) / 2;
    const isCrowded = waitMs / passedMs >= mayWait(workMs / passedMs);
    const isFull = isCrowded || hasLine;
    if (isFull && this.#wasFull) {
      const since = now - Math.max(calmMs, 8 * this.#workMs);
      this.#full = [...this.#full.filter(({ at }) => at > since), { at: now, answers, passedMs }];
    }
    this.#wasFull = isFull;
    if (isCrowded) this.#crowdedAt = now;
    const isCalm = now - this.#crowdedAt >= calmMs;
    if (isCalm && !hasLine) return null;
    const width = this.#width;
    if (this.#full.length === 0 || (width === null && !isCrowded)) return width;
    if (isCrowded) return Math.max(this.#targetAt(this.#meanRate(now)), (width ?? slots) / 2);
    const target = this.#targetAt(this.#greatestRate());
    const isEmpty = waitMs < 0.02 * workMs;
    return hasLine && (isEmpty || isCalm) ? 1.25 * Math.max(target, width ?? 0) : target;
  }

  #targetAt(perMs: number): number {
    const atWork = perMs * this.#workMs;
    return atWork + mayWait(atWork);
  }

  /** What a crowded chain does now. */
  #meanRate(now: number): number {
    const since = now - Math.max(rateMs, 4 * this.#workMs);
    let answers = 0;
    let passedMs = 0;
    for (const span of this.#full) {
      if (span.at <= since) continue;
      answers += span.answers;
      passedMs += span.passedMs;
    }
    return passedMs === 0 ? this.#greatestRate() : answers / passedMs;
  }

  /** What one that is not crowded could do: it is asked less than it can. Two spans at a time, for the sake of chance. */
  #greatestRate(): number {
    let greatest = 0;
    let before = this.#full[0];
    for (const span of this.#full) {
      if (before === undefined) break;
      greatest = Math.max(greatest, (before.answers + span.answers) / (before.passedMs + span.passedMs));
      before = span;
    }
    return greatest;
  }
}

/** Beside so many at work: of 58 that are generated, nearly five, a fiftieth of a second in a quarter of one. */
function mayWait(atWork: number): number {
  return Math.max(1, atWork / 12);
}

/** Of 240 answers a second, 60: the rate is then right to an eighth. */
const spanMs = 250;
const spanAnswers = 10;
/** Generations that began together end together, so no less than some of their rounds; a pause of a collector is in it. */
const rateMs = 2000;
/** Growing costs whoever is not flooding: in a twentieth of its time at most. */
const calmMs = 10_000;
/** From one stage to the next through an idle list: 0.1 to 0.9 ms measured. */
const hopMs = 1;

/**
 * What an answer has waited: in lists, and in the encoder for a thread. The wait in the first list is what no other
 * timing explains: it is told by two hosts' clocks, which may differ by more than it is. The answer's own way home is in it.
 */
function waitOf({ tookMs, timings }: { tookMs: number; timings: TimingsMs }): number {
  const { encode, inference, queue_retrieve = 0, queue_generate = 0 } = timings;
  let explainedMs = 0;
  for (const [name, ms] of Object.entries(timings))
    if (name !== 'queue_encode' && !containedTimings.has(name)) explainedMs += ms;
  const waits = [tookMs - explainedMs - hopMs, queue_retrieve, queue_generate];
  if (encode !== undefined && inference !== undefined) waits.push(encode - inference);
  return waits.reduce((sum, ms) => sum + Math.max(0, ms - hopMs), 0);
}

function emptySpan(since: number | undefined) {
  return { since, answers: 0, waitMs: 0, workMs: 0 };
}
