/**
 * Math.max and Math.min over what has no upper bound. A spread puts every value on the stack, and from about 120,000 on there
 * is no more of it: a run of 150,000 requests ended in "Maximum call stack size exceeded" instead of its figures.
 */
export function greatest(values: Iterable<number>, atLeast = Number.NEGATIVE_INFINITY): number {
  let most = atLeast;
  for (const value of values) if (value > most) most = value;
  return most;
}

export function least(values: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < found) found = value;
  return found;
}
