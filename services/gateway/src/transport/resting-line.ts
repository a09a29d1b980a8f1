/**
 * A line for work that holds the event loop for milliseconds: one piece after the other, and after each a rest of twice as
 * long as it took. However many are in the line, others have two thirds of the time, turn by turn. (A question needs
 * several turns between its begin and its end: with a large body parsed in each, it took 1.2 s in place of 10 ms.)
 *
 * Resolves when it is the caller's turn; what he does with it at once, and all that follows from that in the same turn, is
 * counted as his.
 */
export function createRestingLine(): () => Promise<void> {
  const line: (() => void)[] = [];
  let isBusy = false;
  let begunAt = 0;

  function nextTurn(): void {
    setImmediate(() => {
      begunAt = performance.now();
      line.shift()?.();
    });
    // Immediates of one turn run one by one, each with all its promises: when this one runs the piece is done.
    setImmediate(() => {
      isBusy = line.length > 0;
      if (isBusy) setTimeout(nextTurn, 2 * (performance.now() - begunAt));
    });
  }

  return () =>
    new Promise((resolve) => {
      line.push(resolve);
      if (isBusy) return;
      isBusy = true;
      nextTurn();
    });
}
