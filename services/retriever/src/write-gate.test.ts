import { expect, it } from 'vitest';
import { createWriteGate } from './write-gate.ts';

const place = (document_id: string, version: number) => ({
  ...{ tenant: 'default', collection: 'books' },
  document: { document_id, version },
});

function step() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { done: promise, end: () => resolve() };
}

/** All that may happen without a step being ended has happened after it. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('lets a purge wait for the writes of its version, and later writes for the purge', async () => {
  const gate = createWriteGate();
  const [write, purge] = [step(), step()];
  const seen: string[] = [];
  const first = gate.write(place('a', 1), async () => {
    await write.done;
    seen.push('written');
  });
  const purged = gate.purge(place('a', 1), async () => {
    seen.push('purging');
    await purge.done;
    seen.push('purged');
  });
  const second = gate.write(place('a', 1), async () => void seen.push('written again'));
  await gate.write(place('a', 2), async () => void seen.push('another version'));
  await gate.write(
    { ...place('a', 1), collection: 'other' },
    async () => void seen.push('another collection'),
  );
  await settled();
  expect(seen).toEqual(['another version', 'another collection']);
  write.end();
  await first;
  await settled();
  expect(seen.slice(2)).toEqual(['written', 'purging']);
  purge.end();
  await Promise.all([purged, second]);
  expect(seen.slice(4)).toEqual(['purged', 'written again']);
});

it('takes the purge of a collection for one of all its versions', async () => {
  const gate = createWriteGate();
  const write = step();
  const seen: string[] = [];
  const first = gate.write(place('a', 1), () => write.done);
  const purged = gate.purge({ tenant: 'default', collection: 'books' }, async () => void seen.push('purged'));
  await settled();
  expect(seen).toEqual([]);
  write.end();
  await Promise.all([first, purged]);
  expect(seen).toEqual(['purged']);
});

it('goes on after a task that failed, and says how it failed', async () => {
  const gate = createWriteGate();
  const failed = gate.write(place('a', 1), () => Promise.reject(new Error('no disk')));
  const purged = gate.purge(place('a', 1), async () => 'purged');
  await expect(failed).rejects.toThrow('no disk');
  expect(await purged).toBe('purged');
});
