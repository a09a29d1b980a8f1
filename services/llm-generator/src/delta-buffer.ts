import type { AnswerFrameBody, Citation } from '@vortex/contracts';

/**
 * Gathers an answer's text into frames. A frame is a publish through Redis and a write at the gateway:
 * one for each of a model's 100 tokens a second would cost more than making them, and 30 ms is less than
 * a reader notices. The first piece goes at once, because the time to it is what a reader waits for.
 */
const flushEveryMs = 30;
const flushAtCharacters = 256;

export class DeltaBuffer {
  readonly #emit: (frame: AnswerFrameBody) => void;
  #text = '';
  #citations: Citation[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Whether a reader may have seen a part of the answer. */
  started = false;

  constructor(emit: (frame: AnswerFrameBody) => void) {
    this.#emit = emit;
  }

  /** A citation follows the text that holds its mark. */
  add(text: string, citations: readonly Citation[]): void {
    this.#text += text;
    this.#citations.push(...citations);
    if (this.#text === '' && this.#citations.length === 0) return;
    if (!this.started || this.#text.length >= flushAtCharacters) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushEveryMs);
  }

  flush(): void {
    const [text, citations] = [this.#text, this.#citations];
    this.discard();
    if (text !== '') {
      this.started = true;
      this.#emit({ kind: 'delta', text });
    }
    for (const citation of citations) this.#emit({ kind: 'citation', citation });
  }

  /** Leaves what is not sent yet unsent: the run failed or was cancelled. */
  discard(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#text = '';
    this.#citations = [];
  }
}
