import type { DeadLetterSummary, RedriveResult } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { describeLetters, describeRedrive } from './dead-command.ts';

const letter: DeadLetterSummary = {
  ...{ id: 'dlt_encode_1', queue: 'job:encoder_in', stage: 'encode', job_id: 'job_1', code: 'poison' },
  ...{ reason: 'its worker died', attempts: 3, bytes: 20 },
  ...{ first_at: '2026-01-01T00:00:00.000Z', last_at: '2026-01-01T00:01:00.000Z' },
};
const result: RedriveResult = {
  ...{ id: 'dlt_encode_1', queue: 'job:encoder_in', job_id: 'job_1', outcome: 'redriven' },
  ...{ deadline_renewed: true, code: null, detail: null },
};

describe('the table of dead letters', () => {
  it('has cause, tries and times, and a dash for what is unknown', () => {
    const forged = { ...letter, job_id: null, attempts: null, first_at: null, last_at: null };
    const text = describeLetters([letter, forged]);
    expect(text).toMatch(
      /^dlt_encode_1\s+job:encoder_in\s+job_1\s+poison\s+3\s+2026\S+\s+2026\S+\s+its worker died$/m,
    );
    expect(text).toMatch(/^dlt_encode_1\s+job:encoder_in\s+–\s+poison\s+–\s+–\s+–\s+its worker died$/m);
    expect(describeLetters([])).toBe('No dead letters.');
  });

  it('does not let what an outsider wrote steer the terminal', () => {
    const text = describeLetters([{ ...letter, reason: 'a\u001b[2J\u0007\nb\u202e', job_id: '\u001b]0;x' }]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
    expect(text.split('\n')).toHaveLength(2);
  });
});

describe('what a redrive says', () => {
  const said = (results: RedriveResult[], more: object = {}) =>
    describeRedrive(results, {
      ...{ dryRun: false, matched: 3, remaining: 0, stoppedBy: null, unknown: [] },
      ...more,
    });

  it('names each outcome, renewed deadlines, refusals with their advice and what was not there', () => {
    const refused: RedriveResult = {
      ...{ ...result, id: 'dlt_encode_2', outcome: 'refused', deadline_renewed: false },
      ...{ code: 'dead_letter_unreadable', detail: 'push a mended one' },
    };
    const text = said([result, refused], { unknown: ['dlt_encode_3'] });
    expect(text).toMatch(/^dlt_encode_1\s+job:encoder_in\s+job_1\s+queued again\s+renewed$/m);
    expect(text).toMatch(/^dlt_encode_2: push a mended one$/m);
    expect(text).toMatch(/^dlt_encode_3: there is no such/m);
    expect(text).toMatch(/^1 of 3 queued again\.$/m);
  });

  it('tells a dry run from a real one, and why it stopped', () => {
    const text = said([{ ...result, outcome: 'would_redrive' }], { dryRun: true, stoppedBy: 'queue_full' });
    expect(text).toMatch(/^1 of 3 would be queued again\.$/m);
    expect(text).toMatch(/Stopped early \(queue_full\)/);
  });

  it('says how many a limit has left, and what reaches them', () => {
    const limited = { remaining: 2, stoppedBy: 'limit' };
    expect(said([result], limited)).toMatch(
      /^2 are left: the same command goes on with them, or --limit 3 reaches all\.$/m,
    );
    // A dry run takes nothing away, so the same command would say the same.
    const dry = said([{ ...result, outcome: 'would_redrive' }], { ...limited, dryRun: true });
    expect(dry).toMatch(/^2 are left: --limit 3 reaches all\.$/m);
  });
});
