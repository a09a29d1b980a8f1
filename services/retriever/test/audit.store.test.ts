import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AuditReport, type InputOf, stages } from '@vortex/contracts';
import { type ContentStore, createContentStore } from '@vortex/documents';
import { silentLogger } from '@vortex/observability';
import { openSqliteRegistry, type Registry } from '@vortex/registry';
import { type ChunkRow, openVectorStore, type Scope, type VectorStore } from '@vortex/vector-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditDeps, createAuditStage } from '../src/audit-stage.ts';
import { createPurge } from '../src/purge.ts';
import { createWriteGate } from '../src/write-gate.ts';

/** The audit on a real registry, LanceDB and data folder. */
const tenant = 'default';
const books: Scope = { tenant, collection: 'books' };
const model = { dimension: 4, modelFingerprint: 'test-model' };

let folder: string;
let registry: Registry;
let store: VectorStore;
let originals: ContentStore;
let texts: ContentStore;
let jobs: number;

beforeEach(async () => {
  jobs = 0;
  folder = mkdtempSync(join(tmpdir(), 'vortex-audit-'));
  registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  store = await openVectorStore(
    { kind: 'lancedb', dir: join(folder, 'vectors') },
    { exactBelow: 4000, log: silentLogger },
  );
  originals = createContentStore(join(folder, 'originals'));
  texts = createContentStore(join(folder, 'texts'));
  await registry.ensureCollection({ tenant, name: 'books' });
  await store.ensureCollection(books, model);
});
afterEach(async () => {
  await store.close();
  await registry.close();
  rmSync(folder, { recursive: true });
});

async function audit(
  input: { collection?: string; repair?: boolean } = {},
  deps: Partial<AuditDeps> = {},
): Promise<AuditReport> {
  const stage = createAuditStage({ registry, store, originals, texts, pauseMs: 0, ...deps });
  const envelope: InputOf<'audit'> = stages.audit.input.parse({ id: 'aud_1', tenant, ...input });
  const outcome = await stage(envelope, {
    job: { ...envelope, deadline_at: Number.MAX_SAFE_INTEGER },
    signal: new AbortController().signal,
    log: silentLogger,
    span: null,
    trace: {},
    now: Date.now,
    emit: () => undefined,
    timing: () => undefined,
    explain: () => undefined,
  });
  if (outcome.kind !== 'done') throw new Error(`not done: ${JSON.stringify(outcome)}`);
  return outcome.result;
}

const rowsOf = (documentId: string, version: number, count: number): ChunkRow[] =>
  Array.from({ length: count }, (_, ordinal) => ({
    ...{ chunk_id: `${documentId}/${version}/${ordinal}`, document_id: documentId, version, ordinal },
    ...{ title: documentId, text: `word ${ordinal}`, context: '', heading_path: [], page: null },
    ...{ source_span: [0, 6] as [number, number], tokens: 2, vector: Float32Array.of(1, 0, ordinal, 0) },
  }));

async function begin(externalId: string, content = externalId) {
  const originalHash = await originals.put(Buffer.from(content));
  const textHash = await texts.put(Buffer.from(`text of ${content}`));
  jobs += 1;
  const answer = await registry.acceptDocuments([
    {
      ...{ tenant, collection: 'books', externalId, filename: null, title: externalId },
      ...{ mediaType: 'text/plain', metadata: {}, contentHash: originalHash, settingsHash: '' },
      ...{ bytes: content.length, ifExists: 'replace' },
      job: {
        ...{ id: `job_${jobs}`, type: 'ingest', payload: {}, maxRetries: 0 },
        ...{ webhookUrl: null, traceparent: null },
      },
    },
  ]);
  const accepted = answer.outcome === 'accepted' ? answer.documents[0] : undefined;
  if (accepted === undefined) throw new Error(`not accepted: ${answer.outcome}`);
  await registry.claimJob(`job_${jobs}`);
  return { ...accepted, originalHash, textHash };
}
type Begun = Awaited<ReturnType<typeof begin>>;

const publish = ({ documentId, version, textHash }: Begun, chunks: number) =>
  registry.publishVersion({ tenant, documentId, version, textHash, chunks, tokens: 2, result: {} });

async function ingest(externalId: string, content = externalId, chunks = 3): Promise<Begun> {
  const begun = await begin(externalId, content);
  await store.upsert(books, rowsOf(begun.documentId, begun.version, chunks));
  await publish(begun, chunks);
  return begun;
}

/** As old as no upload under way is. */
function age(contents: ContentStore, hash: string): void {
  const anHourAgo = Date.now() / 1000 - 3600;
  utimesSync(contents.pathOf(hash), anHourAgo, anHourAgo);
}

const kinds = (report: AuditReport) => report.problems.map(({ kind }) => kind).sort();

describe('a clean instance', () => {
  it('is reported with its numbers; what is written or purged is no problem', async () => {
    await ingest('one', 'one', 3);
    await ingest('two', 'two', 4);
    const building = await begin('three');
    await store.upsert(books, rowsOf(building.documentId, building.version, 1));
    await ingest('two', 'two, changed', 5);
    const upload = await originals.put(Buffer.from('still coming in'));
    expect(await audit()).toEqual({
      clean: true,
      collections: [
        {
          ...{ name: 'books', documents: 2, chunks: 8, stored_rows: 8, lexical_rows: 8 },
          pending_purges: 1,
        },
      ],
      ...{ originals: 5, texts: 4, problems: [], problem_count: 0 },
    });
    expect(await originals.has(upload)).toBe(true);
  });

  it('refuses a collection that does not exist', async () => {
    await expect(audit({ collection: 'nowhere' })).rejects.toThrow(/collection_not_found/);
  });
});

describe('what is wrong is found', () => {
  it('rows missing and rows too many', async () => {
    const few = await begin('few');
    await store.upsert(books, rowsOf(few.documentId, few.version, 2));
    await publish(few, 3);
    const many = await begin('many');
    await store.upsert(books, rowsOf(many.documentId, many.version, 4));
    await publish(many, 3);
    const report = await audit({ repair: true });
    expect(report).toMatchObject({ clean: false, problem_count: 2 });
    expect(report.problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          ...{ kind: 'missing_rows', collection: 'books', document_id: few.documentId, version: 1 },
          ...{ detail: expect.stringMatching(/^3 chunks .* 2 rows .*ingest it again/), repaired: false },
        }),
        expect.objectContaining({ kind: 'surplus_rows', document_id: many.documentId, repaired: false }),
      ]),
    );
  });

  it('rows of versions nobody knows, and of collections and tenants that do not exist', async () => {
    const kept = await ingest('kept');
    await store.upsert(books, rowsOf('doc_ghost', 7, 2));
    await store.upsert(books, rowsOf(kept.documentId, 9, 2));
    const nowhere = { tenant, collection: 'nowhere' };
    const stranger = { tenant: 'stranger', collection: 'books' };
    for (const scope of [nowhere, stranger]) {
      await store.ensureCollection(scope, model);
      await store.upsert(scope, rowsOf('doc_x', 1, 1));
    }
    const report = await audit();
    expect(kinds(report)).toEqual(['foreign_rows', 'foreign_rows', 'orphan_rows', 'orphan_rows']);
    expect(report.collections).toMatchObject([{ stored_rows: 3, lexical_rows: 3 }]);
    expect(kinds(await audit({ collection: 'books' })), 'of one collection').toEqual([
      'orphan_rows',
      'orphan_rows',
    ]);

    const repaired = await audit({ repair: true });
    expect(repaired).toMatchObject({ clean: true, problem_count: 4 });
    expect(repaired.problems.every((problem) => problem.repaired)).toBe(true);
    expect(await audit()).toMatchObject({ clean: true, problem_count: 0 });
    expect(await store.listVersions(books)).toEqual([{ document_id: kept.documentId, version: 1, rows: 3 }]);
    expect(await store.count(stranger)).toBe(0);
  });

  it('words that do not cover the rows', async () => {
    await ingest('one');
    const forgetful = {
      listScopes: () => store.listScopes(),
      listVersions: (scope: Scope) => store.listVersions(scope),
      count: (scope: Scope) => store.count(scope),
      deleteVersions: store.deleteVersions.bind(store),
      lexicalCount: async () => 2,
    };
    const report = await audit({}, { store: forgetful });
    expect(report.problems).toMatchObject([
      {
        kind: 'lexical_mismatch',
        collection: 'books',
        detail: expect.stringMatching(/^3 rows .* 2 of them/),
      },
    ]);
  });

  it('files without an owner, once they are too old to be uploads', async () => {
    await ingest('one');
    const lost = [
      await originals.put(Buffer.from('lost original')),
      await texts.put(Buffer.from('lost text')),
    ] as const;
    expect(await audit()).toMatchObject({ clean: true, originals: 2, texts: 2 });
    age(originals, lost[0]);
    age(texts, lost[1]);
    expect(kinds(await audit())).toEqual(['orphan_original', 'orphan_text']);
    expect(await audit({ collection: 'books' }), 'no collection is theirs').toMatchObject({ clean: true });
    expect(await audit({ repair: true })).toMatchObject({ clean: true, problem_count: 2 });
    expect(await audit()).toMatchObject({ clean: true, problem_count: 0, originals: 1, texts: 1 });
  });

  it('files that are gone', async () => {
    const { documentId, originalHash, textHash } = await ingest('one');
    await originals.discard(originalHash, async () => false);
    await texts.discard(textHash, async () => false);
    const report = await audit({ repair: true });
    expect(kinds(report)).toEqual(['missing_original', 'missing_text']);
    for (const problem of report.problems)
      expect(problem).toMatchObject({ document_id: documentId, repaired: false });
  });
});

describe('a repair', () => {
  it('leaves a file that found an owner after it was looked at', async () => {
    const hash = await originals.put(Buffer.from('late'));
    age(originals, hash);
    const late = {
      ...originals,
      discard: async (...[name, isOwned]: Parameters<ContentStore['discard']>) => {
        await begin('late');
        return originals.discard(name, isOwned);
      },
    };
    const report = await audit({ repair: true }, { originals: late });
    expect(report.problems).toMatchObject([{ kind: 'orphan_original', repaired: false }]);
    expect(await originals.has(hash)).toBe(true);
  });
});

describe('while documents come and go', () => {
  it('nothing is reported that is not wrong, and what is wrong still is', async () => {
    await store.upsert(books, rowsOf('doc_ghost', 1, 1));
    const purge = createPurge({
      ...{ registry, store, gate: createWriteGate(), log: silentLogger },
      visibleSearch: { forget: () => undefined },
      contents: { original: originals, text: texts },
    });
    let [busy, written] = [true, 0];
    const write = async (name: string) => {
      for (let turn = 0; busy; turn += 1) {
        const { documentId } = await ingest(name, `${name} ${turn}`, 1 + (turn % 3));
        if (turn % 4 === 3) await registry.deleteDocument(tenant, documentId);
        written += 1;
      }
    };
    const work = [
      write('a'),
      write('b'),
      (async () => {
        while (busy) {
          await purge.runOnce();
          // SQLite answers at once: without a turn in between nobody else would have one.
          await nextTurn();
        }
      })(),
    ];
    const reports: AuditReport[] = [];
    while (reports.length < 12 || written <= 10) reports.push(await audit({}, { pauseMs: 5 }));
    busy = false;
    await Promise.all(work);
    expect(reports.map(kinds)).toEqual(reports.map(() => ['orphan_rows']));
  });
});
