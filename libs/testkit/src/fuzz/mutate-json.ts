import type { Chance } from './chance.ts';
import { nastyTexts } from './mutate-text.ts';

/** Nested deeper than anything of ours; what JSON.stringify cannot write stands in the corpora. */
function deep(chance: Chance): unknown {
  const levels = chance.oneOf([9, 199, 1000]);
  return JSON.parse(
    chance.is(0.5)
      ? '['.repeat(levels) + ']'.repeat(levels)
      : `${'{"not":'.repeat(levels)}1${'}'.repeat(levels)}`,
  );
}

function nasty(chance: Chance): unknown {
  const choice = chance.below(12);
  if (choice < 5) return chance.oneOf(nastyTexts);
  if (choice === 5) return deep(chance);
  if (choice === 6) return 'x'.repeat(chance.oneOf([200, 201, 9000, 100_000]));
  if (choice === 7)
    return Array.from({ length: chance.oneOf([1, 9, 300, 5000]) }, () => chance.oneOf(nastyTexts));
  return chance.oneOf<unknown>([
    null,
    true,
    [],
    {},
    0,
    -1,
    1.5,
    2 ** 53,
    1e308,
    -1e308,
    [[]],
    { a: { b: 1 } },
  ]);
}

/** The same value with some of it changed, anywhere in it: a field missing, another one's value, one too many. */
export function mutateJson(value: unknown, chance: Chance): unknown {
  const copy: unknown = structuredClone(value);
  for (let changes = 1 + chance.below(3); changes > 0; changes -= 1) {
    const holders = holdersIn(copy);
    if (holders.length === 0 || chance.is(0.02)) return nasty(chance);
    const holder = chance.oneOf(holders);
    const names = Object.keys(holder);
    const name = names.length > 0 && chance.is(0.85) ? chance.oneOf(names) : String(chance.oneOf(nastyTexts));
    if (chance.is(0.15)) delete holder[name];
    else {
      const taken = chance.is(0.3) ? structuredClone(ownOf(chance.oneOf(holders), chance)) : nasty(chance);
      // As an own property, which is how JSON.parse makes it.
      Object.defineProperty(holder, name, {
        ...{ configurable: true, enumerable: true, writable: true },
        value: taken,
      });
    }
  }
  return copy;
}

function ownOf(holder: Record<string, unknown>, chance: Chance): unknown {
  const values = Object.values(holder);
  return values.length === 0 ? null : chance.oneOf(values);
}

/** Every object and list of it. */
function holdersIn(value: unknown): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = [];
  const open: unknown[] = [value];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (typeof one !== 'object' || one === null || found.length >= 2000) continue;
    found.push(one as Record<string, unknown>);
    for (const inner of Object.values(one)) if (typeof inner === 'object' && inner !== null) open.push(inner);
  }
  return found;
}
