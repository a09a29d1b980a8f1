import type { Collection, VersionState } from '@vortex/registry';
import { expect, it } from 'vitest';
import { VisibleVersions } from './visible-versions.ts';

const version = { document_id: 'doc_1', version: 2 };
const at = (revision: number): Collection => ({
  ...{
    tenant: 'default',
    name: 'notes',
    revision,
    embeddingModel: null,
    dimension: null,
    relevanceFloor: null,
  },
  ...{ chunkSize: null, chunkOverlap: null, chunkingStrategy: null, createdAt: 0, updatedAt: 0 },
});

function seen(versionState: () => Promise<VersionState | null>) {
  const versions = new VisibleVersions({ versionState, visibleVersions: async () => [] });
  const excluded = async () => (await versions.searchable(at(0), undefined))?.rows.excluded;
  return { versions, excluded };
}

it('lets no search of a new revision go ahead before what was excluded has been looked at', async () => {
  const state = Promise.withResolvers<VersionState>();
  const { versions, excluded } = seen(() => state.promise);
  await versions.refresh(at(1));
  versions.exclude(version);
  const first = versions.refresh(at(2));
  let wentAhead = false;
  const second = versions.refresh(at(2)).then(() => {
    wentAhead = true;
  });
  await Promise.resolve();
  expect([wentAhead, await excluded()]).toEqual([false, [version]]);
  state.resolve('visible');
  await Promise.all([first, second]);
  expect(await excluded()).toEqual([]);
});

it('looks again in the next search when the registry did not answer', async () => {
  let answer: () => Promise<VersionState> = () => Promise.reject(new Error('the registry is away'));
  const { versions, excluded } = seen(() => answer());
  await versions.refresh(at(1));
  versions.exclude(version);
  await expect(versions.refresh(at(2))).rejects.toThrow('the registry is away');
  answer = async () => 'visible';
  await versions.refresh(at(2));
  expect(await excluded()).toEqual([]);
});

it('does not remember a look that was under way when the revision moved', async () => {
  const early = Promise.withResolvers<VersionState>();
  const states: (() => Promise<VersionState>)[] = [() => early.promise, async () => 'superseded'];
  const { versions } = seen(() => (states.shift() ?? (async () => 'superseded' as const))());
  await versions.refresh(at(1));
  const looking = versions.isVisible('default', version);
  await versions.refresh(at(2));
  early.resolve('visible');
  await looking;
  expect(await versions.isVisible('default', version)).toBe(false);
});
