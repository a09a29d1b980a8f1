/**
 * Large bodies are parsed one after the other, and after each is a rest of twice as long as it took: 200 of a megabyte that
 * end in the same moment leave others two thirds of the time, turn by turn. (A question needs several turns between its
 * begin and its end: with a body in each, it took 1.2 s in place of 10 ms.)
 */
export const largeBytes = 64 * 1024;

const line: (() => void)[] = [];
let isBusy = false;

/** What `parse` returns. @throws what it throws. */
export function parseInTurn<T>(parse: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    line.push(() => {
      try {
        resolve(parse());
      } catch (error) {
        reject(error);
      }
    });
    if (!isBusy) parseNext();
  });
}

function parseNext(): void {
  const next = line.shift();
  isBusy = next !== undefined;
  if (next === undefined) return;
  const startedAt = performance.now();
  next();
  setTimeout(parseNext, 2 * (performance.now() - startedAt));
}
