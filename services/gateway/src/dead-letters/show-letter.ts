import { isUtf8 } from 'node:buffer';
import { type DeadLetterResponse, type DeadLetterSummary, maxDeadBytes, stages } from '@vortex/contracts';
import { elementOfLetter, type FoundLetter } from '@vortex/queue';
import { codeOf } from './choose-letters.ts';
import { planRedrive } from './plan-redrive.ts';

const noWorkers = 'No worker wrote this; it was put on the dead list by somebody else.';

/** Whatever stands on a dead list as the API shows it; what no worker wrote is shown as its own raw bytes. */
export function summaryOf(found: FoundLetter): DeadLetterSummary {
  const { id, stage, letter, text } = found;
  return {
    id,
    queue: stages[stage].list,
    stage,
    job_id: letter === null || letter.id === null ? null : letter.id.toWellFormed(),
    code: codeOf(found).toWellFormed(),
    reason: (letter?.reason ?? noWorkers).toWellFormed(),
    attempts: letter?.attempts ?? null,
    first_at: timeOf(letter?.first_at),
    last_at: timeOf(letter?.last_at),
    bytes: letter === null ? text.byteLength : Math.max(0, Math.floor(letter.bytes)),
  };
}

export function letterOf(found: FoundLetter): DeadLetterResponse {
  const plan = planRedrive(found, Date.now());
  return {
    ...summaryOf(found),
    ...rawOf(found),
    redrivable: plan.kind !== 'refused',
    advice: plan.kind === 'refused' ? plan.advice : null,
  };
}

function rawOf({ letter, text }: FoundLetter) {
  if (letter !== null) {
    const { raw, encoding } = letter;
    return { raw: raw.toWellFormed(), encoding, raw_truncated: elementOfLetter(letter) === null };
  }
  const cut = text.subarray(0, maxDeadBytes);
  const encoding: 'utf8' | 'base64' = isUtf8(cut) ? 'utf8' : 'base64';
  return {
    raw: cut.toString(encoding),
    encoding,
    raw_truncated: cut.byteLength < text.byteLength,
  };
}

function timeOf(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString();
}
