import type { DeadLetterSummary, RedriveResult, StageName } from '@vortex/contracts';
import { shortened } from './documents-command.ts';
import { CommandProblem } from './problem.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import {
  describeFields,
  gather,
  harmlessJson,
  type InstanceOptions,
  isWanted,
  printJson,
  useGateway,
} from './use-gateway.ts';

/** Which letters: every condition given must hold. */
export interface LetterChoice {
  queue?: string;
  stage?: StageName;
  code?: string;
  before?: string;
  after?: string;
}

function given({ queue, stage, code, before, after }: LetterChoice): LetterChoice {
  return {
    ...(queue !== undefined && { queue }),
    ...(stage !== undefined && { stage }),
    ...(code !== undefined && { code }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
}

export async function listDeadLetters(
  options: InstanceOptions &
    Pick<LetterChoice, 'queue' | 'stage' | 'code'> & { limit: number; json: boolean },
): Promise<void> {
  const { queue, stage, code } = options;
  const letters = await useGateway(options, (client) =>
    gather(options.limit, async (limit, after) => {
      const page = await client.deadLetters.list({
        limit,
        ...(queue !== undefined && { queue }),
        ...(stage !== undefined && { stage }),
        ...(code !== undefined && { code }),
        ...(after !== undefined && { after }),
      });
      return { items: page.dead_letters, next: page.next };
    }),
  );
  if (options.json) printJson({ dead_letters: letters });
  else console.log(describeLetters(letters));
}

export function describeLetters(letters: readonly DeadLetterSummary[]): string {
  if (letters.length === 0) return 'No dead letters.';
  return table(
    ['letter', 'queue', 'job', 'code', 'tries', 'first', 'last', 'reason'],
    letters.map(({ id, queue, job_id, code, attempts, first_at, last_at, reason }) => [
      ...[id, queue, job_id === null ? null : onOneLine(job_id, 30), onOneLine(code, 30), attempts],
      ...[first_at, last_at, onOneLine(reason, 60)],
    ]),
  );
}

export async function showDeadLetter(
  id: string,
  options: InstanceOptions & { json: boolean },
): Promise<void> {
  const letter = await useGateway(options, (client) => client.deadLetters.get(id));
  if (options.json) return printJson(letter);
  const { raw, encoding, raw_truncated, ...fields } = letter;
  // As a JSON string: what an outsider pushed must not steer the terminal.
  const shownRaw = encoding === 'utf8' ? harmlessJson(raw) : `${raw} (base64)`;
  console.log(describeFields({ ...fields, reason: onOneLine(fields.reason, 2000) }));
  console.log(`raw${raw_truncated ? ' (cut)' : ''}:\n${shownRaw}`);
}

/** False when one was refused, or not all were reached. */
export async function redriveDeadLetters(
  ids: readonly string[],
  options: InstanceOptions &
    LetterChoice & { rate: number; limit: number; dryRun: boolean; all: boolean; json: boolean },
): Promise<boolean> {
  assertChosen(ids, options);
  const results: RedriveResult[] = [];
  let stoppedBy: string | null = null;
  let matched = 0;
  let remaining = 0;
  await useGateway(options, async (client) => {
    // One request takes 25 s and a thousand letters at most; those that were refused stay, and would be chosen again, so ids go on where it stopped.
    for (let left = options.limit; left > 0; ) {
      const report = await client.deadLetters.redriveMany({
        ...(ids.length > 0 && { ids: [...ids] }),
        ...given(options),
        ...{ rate_per_second: options.rate, limit: Math.min(left, 1000), dry_run: options.dryRun },
      });
      if (results.length === 0) matched = report.matched;
      results.push(...report.results);
      stoppedBy = report.stopped_by;
      remaining = report.remaining;
      left -= report.results.length;
      const mayGoOn = stoppedBy === 'time' || stoppedBy === 'limit';
      if (!mayGoOn || report.refused > 0 || report.redriven === 0) break;
    }
  });
  const unknown = ids.filter((id) => !results.some((result) => result.id === id));
  if (options.json)
    printJson({ dry_run: options.dryRun, matched, remaining, stopped_by: stoppedBy, results, unknown });
  else
    console.log(describeRedrive(results, { dryRun: options.dryRun, matched, remaining, stoppedBy, unknown }));
  const isDone = ({ outcome }: RedriveResult) => outcome === 'redriven' || outcome === 'would_redrive';
  return stoppedBy === null && unknown.length === 0 && results.every(isDone);
}

const outcomes = {
  redriven: 'queued again',
  would_redrive: 'would be queued again',
  refused: 'refused',
  gone: 'gone',
} as const;

export function describeRedrive(
  results: readonly RedriveResult[],
  {
    dryRun,
    matched,
    remaining,
    stoppedBy,
    unknown,
  }: {
    dryRun: boolean;
    matched: number;
    remaining: number;
    stoppedBy: string | null;
    unknown: readonly string[];
  },
): string {
  const lines: string[] = [];
  if (results.length > 0) {
    lines.push(
      table(
        ['letter', 'queue', 'job', 'outcome', 'deadline'],
        results.map(({ id, queue, job_id, outcome, deadline_renewed }) => [
          ...[id, queue, job_id === null ? null : onOneLine(job_id, 40), outcomes[outcome]],
          deadline_renewed ? 'renewed' : '',
        ]),
      ),
    );
  }
  for (const { id, detail } of results) if (detail !== null) lines.push(`${id}: ${onOneLine(detail, 2000)}`);
  for (const id of unknown) lines.push(`${id}: there is no such dead letter (any more)`);
  const done = results.filter(({ outcome }) => outcome === (dryRun ? 'would_redrive' : 'redriven')).length;
  lines.push(`${done} of ${matched} ${dryRun ? 'would be queued' : 'queued'} again.`);
  if (stoppedBy === 'limit') {
    const goesOn = dryRun || done < results.length ? '' : 'the same command goes on with them, or ';
    lines.push(`${remaining} are left: ${goesOn}--limit ${Math.min(matched, 10_000)} reaches all.`);
  } else if (stoppedBy !== null) {
    lines.push(`Stopped early (${stoppedBy}), ${remaining} are left; the same command goes on.`);
  }
  return lines.join('\n');
}

export async function dropDeadLetters(
  ids: readonly string[],
  options: InstanceOptions &
    Pick<LetterChoice, 'queue' | 'code' | 'before'> & { yes: boolean; json: boolean },
  terminal: Terminal,
): Promise<void> {
  const { queue, code, before } = options;
  if (ids.length === 0 && queue === undefined) {
    throw new CommandProblem('Which dead letters?', {
      ways: ['Name them, or a queue: --queue job:encoder_in'],
      exitCode: 2,
    });
  }
  const conditions = code === undefined && before === undefined ? 'all dead letters' : 'what fits';
  const what = ids.length > 0 ? `${ids.length} dead letters` : `${conditions} of ${queue}`;
  if (!(await isWanted(`Drop ${what}?`, { yes: options.yes, mustBeAsked: ids.length === 0 }, terminal)))
    return;
  await useGateway(options, async ({ deadLetters }) => {
    let dropped = 0;
    for (const id of ids) {
      await deadLetters.drop(id);
      dropped += 1;
    }
    if (ids.length === 0 && queue !== undefined) {
      const filter = { queue, ...(code !== undefined && { code }), ...(before !== undefined && { before }) };
      dropped = (await deadLetters.dropMany(filter)).dropped;
    }
    if (options.json) printJson({ dropped });
    else console.log(`${dropped} dropped.`);
  });
}

/** @throws CommandProblem (exit 2): everything must be asked for in so many words */
function assertChosen(ids: readonly string[], options: LetterChoice & { all: boolean }) {
  if (options.all || ids.length > 0 || Object.keys(given(options)).length > 0) return;
  throw new CommandProblem('Which dead letters?', {
    ways: ['Name them, or say which: --queue, --stage, --code, --before, --after, or --all'],
    exitCode: 2,
  });
}

/** Whatever an outsider wrote, it must not steer the terminal. */
function onOneLine(text: string, most: number): string {
  return shortened(text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' '), most);
}
