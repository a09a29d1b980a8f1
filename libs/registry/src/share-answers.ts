/**
 * One question at a time: whoever asks while it is under way shares the next one, never the one under way, whose
 * answer may be older than the asking.
 */
export function shareAnswers<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let running: Promise<Answer> | null = null;
  let next: Promise<Answer> | null = null;

  function start(): Promise<Answer> {
    const asked = ask();
    running = asked;
    const done = () => {
      if (running === asked) running = null;
    };
    asked.then(done, done);
    return asked;
  }

  return () => {
    if (running === null) return start();
    if (next === null) {
      const begin = () => {
        next = null;
        return start();
      };
      next = running.then(begin, begin);
    }
    return next;
  };
}
