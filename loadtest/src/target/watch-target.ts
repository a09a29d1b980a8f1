import { request } from 'undici';
import type { Clock } from '../drive/clock.ts';
import type { TargetFigures } from '../figures-schema.ts';
import { createTargetFigures, isWanted } from '../measure/target-figures.ts';
import { limitedText } from './limited-text.ts';
import { readMetricsText } from './metrics-text.ts';

/** As often as the timeline has points; a page of ours takes a few milliseconds. */
const everyMs = 1_000;
const giveUpMs = 2_000;
const maxPageBytes = 4 * 2 ** 20;

/**
 * Reads the target's `/metrics` while a run goes on. A page that is not there, or says nothing that is known here, is
 * asked no second time; one that stops answering later (its process was killed, which may be the point) is asked on.
 */
export async function watchTarget(options: {
  pages: readonly string[];
  clock: Clock;
  /** For pages of the target's own origin; null: none. */
  key: { origin: string; value: string } | null;
}): Promise<{
  /** Pages that were asked for and are of no use, each in a sentence. */
  problems: readonly string[];
  /** The moment that counts as 0, on the clock above. */
  end(zeroMs: number): Promise<TargetFigures | null>;
}> {
  const { clock, key } = options;
  const figures = createTargetFigures(options.pages);
  const problems: string[] = [];
  let pages = [...options.pages];

  async function look(): Promise<void> {
    const atMs = clock.now();
    await Promise.all(
      pages.map(async (page) => {
        try {
          figures.read(page, atMs, readMetricsText(await textOf(page, key), isWanted));
        } catch {
          figures.missed(page);
        }
      }),
    );
  }

  const useful: string[] = [];
  const atMs = clock.now();
  for (const page of pages) {
    try {
      const found = readMetricsText(await textOf(page, key), isWanted);
      if (found.length === 0) throw new Error('none of the metrics that are known here');
      figures.read(page, atMs, found);
      useful.push(page);
    } catch (error) {
      problems.push(`${page}: ${error instanceof Error ? error.message : error}`);
    }
  }
  pages = useful;

  let looking: Promise<void> = Promise.resolve();
  let isLooking = false;
  const timer = setInterval(() => {
    // A target that is stuck is asked once, not once a second.
    if (isLooking) return;
    isLooking = true;
    looking = look().finally(() => {
      isLooking = false;
    });
  }, everyMs);
  if (pages.length === 0) clearInterval(timer);
  return {
    problems,
    async end(zeroMs) {
      clearInterval(timer);
      await looking;
      if (pages.length > 0) await look();
      return figures.figures(zeroMs);
    },
  };
}

/** @throws whatever keeps the page from being read */
async function textOf(page: string, key: { origin: string; value: string } | null): Promise<string> {
  const isOwn = key !== null && new URL(page).origin === key.origin;
  const { statusCode, body } = await request(page, {
    signal: AbortSignal.timeout(giveUpMs),
    headers: isOwn ? { authorization: `Bearer ${key.value}` } : {},
  });
  if (statusCode !== 200) {
    await body.dump();
    throw new Error(`HTTP ${statusCode}`);
  }
  return limitedText(body, maxPageBytes);
}
