import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@vortex/observability';
import { until } from '@vortex/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startIncomingSweep, sweepIncoming } from '../src/upload/incoming-sweep.ts';
import { keepArrived } from '../src/upload/keep-arrived.ts';

const minuteMs = 60_000;

async function arriving(...ages: number[]) {
  const folder = await mkdtemp(join(tmpdir(), 'vortex-incoming-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const now = Date.now();
  const add = async (minutes: number) => {
    const file = join(folder, String(minutes));
    await writeFile(file, 'x');
    const at = new Date(now - minutes * minuteMs);
    await utimes(file, at, at);
    return file;
  };
  for (const minutes of ages) await add(minutes);
  return { folder, now, add };
}

describe('the sweep of arriving files', () => {
  it('takes what nobody has written for a quarter of an hour', async () => {
    const { folder, now } = await arriving(0, 14, 16, 60);
    expect(await sweepIncoming(folder, silentLogger, now)).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(['0', '14']);
    expect(await sweepIncoming(folder, silentLogger, now + 2 * minuteMs)).toBe(1);
    expect(await readdir(folder)).toEqual(['0']);
  });

  it('of a folder that is not there finds nothing', async () => {
    expect(await sweepIncoming('/nonexistent/incoming', silentLogger)).toBe(0);
  });

  it('says what keeps it from looking, and does not keep the gateway from starting', async () => {
    const { folder, add } = await arriving();
    const noFolder = await add(0);
    await expect(sweepIncoming(noFolder, silentLogger)).rejects.toMatchObject({ code: 'ENOTDIR' });
    (await startIncomingSweep(noFolder, silentLogger)).stop();
    expect(await readdir(folder)).toEqual(['0']);
  });

  it('runs at start, and again until it is stopped', async () => {
    const { folder, add } = await arriving(20);
    const sweep = await startIncomingSweep(folder, silentLogger, 5);
    onTestFinished(sweep.stop);
    expect(await readdir(folder)).toEqual([]);
    await add(30);
    await until('the next sweep', async () => (await readdir(folder)).length === 0);
  });

  it('leaves what a living upload has finished', async () => {
    const { folder, add } = await arriving();
    const finished = await add(20);
    const kept = keepArrived(0);
    kept.add(finished);
    kept.add(join(folder, 'gone'));
    await kept.touch();
    expect(await sweepIncoming(folder, silentLogger)).toBe(0);
    const { mtimeMs } = await stat(finished);
    const seldom = keepArrived();
    seldom.add(finished);
    await seldom.touch();
    expect((await stat(finished)).mtimeMs).toBe(mtimeMs);
  });
});
