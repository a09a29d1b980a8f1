import type { AnswerFrameBody, StageName } from '@vortex/contracts';
import { type Logger, traceIdOf } from '@vortex/observability';
import type { Run } from './run.ts';
import type { NoteExplained, StageContext } from './stage-handler.ts';

interface RunContextOptions {
  publishFrame: (name: string, text: string) => void;
  explain?: NoteExplained;
  log: Logger;
  now: () => number;
}

/** What a handler sees of its run. A class, because one is made per job. */
export class RunContext implements StageContext {
  readonly #run: Run;
  readonly #stage: StageName;
  readonly #options: RunContextOptions;
  #log: Logger | undefined;

  constructor(run: Run, stage: StageName, options: RunContextOptions) {
    this.#run = run;
    this.#stage = stage;
    this.#options = options;
  }

  get job() {
    return this.#run.job;
  }

  get signal() {
    const run = this.#run;
    if (run.controller === undefined) {
      run.controller = new AbortController();
      if (run.interruption !== undefined) run.controller.abort(run.interruption);
    }
    return run.controller.signal;
  }

  /** Most runs log nothing, and a child logger is not free. */
  get log() {
    this.#log ??= this.#options.log.child({
      job_id: this.#run.job.id,
      trace_id: traceIdOf(this.#run.job.traceparent),
      stage: this.#stage,
    });
    return this.#log;
  }

  get span() {
    return this.#run.span;
  }

  get trace() {
    const { span, job } = this.#run;
    return span ?? job;
  }

  // Arrow functions: handlers pass them on without the object.
  readonly now = (): number => this.#options.now();

  readonly emit = (frame: AnswerFrameBody): void => {
    const { job, concluded } = this.#run;
    if (concluded || job.reply_to === undefined) return;
    const { id, attempt, redelivered } = job;
    this.#options.publishFrame(job.reply_to, JSON.stringify({ id, attempt, redelivered, ...frame }));
  };

  readonly explain = (tell: () => object): void => {
    this.#options.explain?.(this.#run.job, this.#stage, tell);
  };

  readonly timing = (name: string, ms: number): void => {
    this.#run.timingsMs[name] = ms;
  };
}
