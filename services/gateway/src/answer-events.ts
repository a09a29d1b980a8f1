import { type Answer, type AnswerFrame, answerFrame, type Citation, type Source } from '@vortex/contracts';

export type AnswerEvent =
  | { event: 'sources'; data: { sources: Source[] } }
  | { event: 'delta'; data: { text: string } }
  | { event: 'citation'; data: Citation }
  | { event: 'restart'; data: { reason: 'redelivered' | 'corrected' } };

/**
 * Turns the frames of a running answer into the events of its stream. Frames are fire and forget: they may
 * be lost, and a run that died may have sent some before another worker took over. The completion is the
 * truth. What holds whatever happens:
 *
 *   - `sources` comes before the first `delta`; deltas that arrive without sources are held back;
 *   - the deltas since the start or the last `restart`, joined, are exactly the final answer;
 *   - every citation of the final answer is sent once, after the last delta: `sources` has already told what
 *     a mark in the text stands for, and only the finished text fixes its `answer_span`.
 *
 *            frame of the same run             frame of a later run, text sent: `restart`
 *   waiting ───────────────────────► telling ─────────────────────────────────────────────► telling
 *      └──────────── completion ───────► finished ◄──── completion: what is missing, then `done` ───┘
 */
export interface AnswerEvents {
  /** Events for a frame from the wire; none for frames of another shape or of a run that was overtaken. */
  onFrame(frame: unknown): AnswerEvent[];
  /** What the client has not been told yet of the finished answer. */
  onAnswer(answer: Answer): AnswerEvent[];
}

export function createAnswerEvents(): AnswerEvents {
  let run = { attempt: 0, redelivered: 0 };
  let sourcesSent = false;
  let text = '';

  function startOver(): void {
    sourcesSent = false;
    text = '';
  }

  function enterRunOf(frame: AnswerFrame): AnswerEvent[] | 'overtaken' {
    const order = frame.redelivered - run.redelivered || frame.attempt - run.attempt;
    if (order === 0) return [];
    if (order < 0) return 'overtaken';
    run = { attempt: frame.attempt, redelivered: frame.redelivered };
    if (text === '') return [];
    startOver();
    return [{ event: 'restart', data: { reason: 'redelivered' } }];
  }

  function tellSources(sources: Source[]): AnswerEvent[] {
    if (sourcesSent) return [];
    sourcesSent = true;
    return [{ event: 'sources', data: { sources } }];
  }

  return {
    onFrame(received) {
      const parsed = answerFrame.safeParse(received);
      if (!parsed.success) return [];
      const frame = parsed.data;
      const events = enterRunOf(frame);
      if (events === 'overtaken') return [];
      if (frame.kind === 'sources') events.push(...tellSources(frame.sources));
      else if (frame.kind === 'delta' && sourcesSent && frame.text !== '') {
        text += frame.text;
        events.push({ event: 'delta', data: { text: frame.text } });
      }
      return events;
    },
    onAnswer(answer) {
      const events: AnswerEvent[] = [];
      if (!answer.answer.startsWith(text)) {
        startOver();
        events.push({ event: 'restart', data: { reason: 'corrected' } });
      }
      events.push(...tellSources(answer.sources));
      const missing = answer.answer.slice(text.length);
      if (missing !== '') events.push({ event: 'delta', data: { text: missing } });
      for (const citation of answer.citations) events.push({ event: 'citation', data: citation });
      text = answer.answer;
      return events;
    },
  };
}
