/**
 * Large answers that are ready to be written go out one after the other, and after each is a rest of twice as long as its
 * writing took. The system copies 200 kB in one go, some 3 ms on loopback: 166 connections that asked for openapi.json, 50 times
 * each, kept the event loop in `writev` for a second, and everybody else waited for 100 ms and more.
 */
const largeBytes = 32 * 1024;

const line: (() => void)[] = [];
let isBusy = false;
let begunAt = 0;

/** Resolves when it is this answer's turn; what follows from that at once is counted as its writing. Small ones do not wait. */
export function turnToWrite(bytes: number): Promise<void> | undefined {
  if (bytes < largeBytes) return;
  return new Promise((resolve) => {
    line.push(resolve);
    if (isBusy) return;
    isBusy = true;
    nextTurn();
  });
}

function nextTurn(): void {
  setImmediate(() => {
    begunAt = performance.now();
    line.shift()?.();
  });
  // Immediates of one turn run one by one, each with all that follows from it: when this one runs the answer is written.
  setImmediate(() => {
    isBusy = line.length > 0;
    if (isBusy) setTimeout(nextTurn, 2 * (performance.now() - begunAt));
  });
}
