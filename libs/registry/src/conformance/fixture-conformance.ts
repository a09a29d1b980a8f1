import { afterEach, beforeEach, expect } from 'vitest';
import type { Acceptance, NewDocument, NewJob } from '../acceptance.ts';
import type { Registry } from '../registry.ts';

/** What a conformance run needs of an adapter: an empty registry, opened as often as asked on the same data. */
export interface EmptyRegistry {
  /** Opens one more connection to the same registry, as another process would. `now` is the test's clock. */
  open(now: () => number): Promise<Registry>;
  /** Closes nothing (the suite closes what it opened); removes the data. */
  remove(): Promise<void>;
}

export const tenant = 'default';
export const collection = 'handbook';
export const start = 1_700_000_000_000;
export const finished = { textHash: 'text', chunks: 3, tokens: 40, result: { processing_time_ms: 7 } };

export type Asked = Partial<Omit<NewDocument, 'job'>> & { jobId?: string; job?: Partial<NewJob> };

export function newDocument({ jobId = 'job_1', job, ...change }: Asked = {}): NewDocument {
  return {
    tenant,
    collection,
    externalId: 'a.md',
    filename: 'a.md',
    title: 'A',
    mediaType: 'text/markdown',
    metadata: {},
    contentHash: 'content-1',
    settingsHash: 'settings',
    bytes: 100,
    ifExists: 'replace',
    ...change,
    job: {
      id: jobId,
      type: 'document_upload',
      payload: { filename: 'a.md' },
      maxRetries: 3,
      webhookUrl: null,
      traceparent: null,
      ...job,
    },
  };
}

export interface BegunVersion {
  tenant: string;
  documentId: string;
  version: number;
}

/** One registry, opened twice, with one collection; the same words for all parts of the suite. */
export interface RegistryUnderTest {
  readonly registry: Registry;
  readonly other: Registry;
  clock: number;
  open(): Promise<Registry>;
  accept(change?: Asked): Promise<Acceptance>;
  /** Accepts and expects a new version. */
  begin(change?: Asked): Promise<BegunVersion>;
  publish(change?: Asked): Promise<BegunVersion>;
  forgetAllStale(): Promise<{ originals: string[]; texts: string[] }>;
}

export function registryForEach(make: () => Promise<EmptyRegistry>): RegistryUnderTest {
  let empty: EmptyRegistry | undefined;
  let opened: Registry[] = [];

  const nth = (index: number) => {
    const registry = opened[index];
    if (registry === undefined) throw new Error('no registry outside of a test');
    return registry;
  };
  const underTest: RegistryUnderTest = {
    clock: start,
    get registry() {
      return nth(0);
    },
    get other() {
      return nth(1);
    },
    async open() {
      if (empty === undefined) throw new Error('no registry outside of a test');
      const registry = await empty.open(() => underTest.clock);
      opened.push(registry);
      return registry;
    },
    async accept(change) {
      const answer = await underTest.registry.acceptDocuments([newDocument(change)]);
      const only = answer.outcome === 'conflict' ? undefined : answer.documents[0];
      if (only === undefined) throw new Error(`expected one acceptance, got ${answer.outcome}`);
      return only;
    },
    async begin(change) {
      const accepted = await underTest.accept(change);
      if (accepted.outcome !== 'accepted') throw new Error(`expected a new version, got ${accepted.outcome}`);
      return { tenant, documentId: accepted.documentId, version: accepted.version };
    },
    async publish(change) {
      const version = await underTest.begin(change);
      expect(await underTest.registry.publishVersion({ ...version, ...finished })).toBe('published');
      return version;
    },
    async forgetAllStale() {
      const gone = { originals: [] as string[], texts: [] as string[] };
      for (const stale of await underTest.registry.staleVersions()) {
        const { originals, texts } = await underTest.registry.forgetVersion(
          stale.tenant,
          stale.documentId,
          stale.version,
        );
        gone.originals.push(...originals);
        gone.texts.push(...texts);
      }
      return gone;
    },
  };

  beforeEach(async () => {
    underTest.clock = start;
    empty = await make();
    await underTest.open();
    await underTest.open();
    await underTest.registry.ensureCollection({ tenant, name: collection });
  });
  afterEach(async () => {
    const closing = opened;
    opened = [];
    for (const registry of closing) await registry.close();
    await empty?.remove();
  });
  return underTest;
}
