import { type StageName, stageNames, stages } from '@vortex/contracts';
import {
  type DeadLetter,
  type DeadLetters,
  deadLetterId,
  deadLetterText,
  type FoundLetter,
  type RedriveOrder,
  type RedriveWord,
  readDeadLetter,
} from '@vortex/queue';

/** Dead lists in memory, oldest first, for tests that are about HTTP shapes. */
export class ScriptedDeadLetters implements DeadLetters {
  readonly lists = new Map<StageName, Buffer[]>();
  readonly redriven: RedriveOrder[] = [];
  /** What the next redrives say instead of `OK`. */
  answers: RedriveWord[] = [];
  liveJobs = 0;

  /** As a worker would bury it; `last_at` counts up with every letter. */
  bury(stage: StageName, element: string | Buffer, letter: Partial<DeadLetter> = {}): string {
    const { list } = stages[stage];
    const { last_at = 1_700_000_000_000 + this.#buried, ...said } = letter;
    this.#buried += 1;
    const cause = { code: 'internal', reason: 'it went wrong', attempts: 3, first_at: 1_600_000_000_000 };
    const written = deadLetterText({ id: null, queue: list, stage, ...cause, ...said }, element);
    return this.put(stage, JSON.stringify({ ...JSON.parse(written), last_at, ...said }));
  }
  #buried = 0;

  /** Anything at all. */
  put(stage: StageName, text: string | Buffer): string {
    const bytes = Buffer.from(text);
    this.lists.set(stage, [...(this.lists.get(stage) ?? []), bytes]);
    return deadLetterId(stages[stage].list, bytes);
  }

  async *newestFirst(stage: StageName): AsyncGenerator<FoundLetter> {
    for (const text of [...(this.lists.get(stage) ?? [])].reverse()) {
      const id = deadLetterId(stages[stage].list, text);
      yield { id, stage, text, letter: readDeadLetter(text) };
    }
  }
  async find(id: string): Promise<FoundLetter | null> {
    for (const stage of stageNames) {
      for await (const found of this.newestFirst(stage)) if (found.id === id) return found;
    }
    return null;
  }
  async redrive(found: FoundLetter, order: RedriveOrder): Promise<RedriveWord> {
    const answer = this.answers.shift() ?? 'OK';
    if (answer !== 'OK') return answer;
    if (!(await this.drop(found))) return 'GONE';
    this.redriven.push(order);
    return 'OK';
  }
  async drop({ stage, text }: FoundLetter): Promise<boolean> {
    const list = this.lists.get(stage) ?? [];
    const left = list.filter((other) => !other.equals(text));
    this.lists.set(stage, left);
    return left.length < list.length;
  }
  async counts(): Promise<Map<StageName, number>> {
    return new Map([...this.lists].map(([stage, list]) => [stage, list.length]));
  }
  async live(): Promise<number> {
    return this.liveJobs;
  }
  close(): void {}
}
