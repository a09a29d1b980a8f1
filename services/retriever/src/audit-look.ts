import type { AuditProblem, AuditReport } from '@vortex/contracts';
import type { AuditedVersion, Registry } from '@vortex/registry';
import { type DocumentVersion, type Scope, type VectorStore, versionKey } from '@vortex/vector-store';

/** What one look has found. What is being written, purged or deleted meanwhile looks like a problem, too. */
export interface Finding {
  problem: Omit<AuditProblem, 'repaired'>;
  /** What is to be removed to mend it; absent when nothing can be. */
  remedy?: { rows: Scope & DocumentVersion } | { file: 'original' | 'text'; hash: string };
}

export interface RowsLook {
  collections: AuditReport['collections'];
  findings: Finding[];
  /** The tenant's, for whoever looks at their files. */
  versions: AuditedVersion[];
}

export interface RowsLookDeps {
  registry: Pick<
    Registry,
    'auditVersions' | 'staleVersions' | 'staleCollections' | 'listCollections' | 'listTenants'
  >;
  store: Pick<VectorStore, 'listScopes' | 'listVersions' | 'count' | 'lexicalCount'>;
}

/** More than there ever are: a version is stale for seconds. */
const allStale = 1_000_000;
/** Rows and words are counted one after the other; a write in between makes them differ. */
const countsPerLook = 5;

/** Compares the rows of a tenant's collections (or of the one named) with its versions. */
export async function lookAtRows(
  deps: RowsLookDeps,
  tenant: string,
  named: string | undefined,
  signal: AbortSignal,
): Promise<RowsLook> {
  const { registry, store } = deps;
  // The store first: a version is in the registry before its first row is stored.
  const scopes = (await store.listScopes()).filter(
    (scope) => named === undefined || (scope.tenant === tenant && scope.collection === named),
  );
  const stored = new Map<string, Map<string, DocumentVersion & { rows: number }>>();
  for (const scope of scopes) {
    signal.throwIfAborted();
    const rows = await store.listVersions(scope);
    stored.set(scopeKey(scope), new Map(rows.map((one) => [versionKey(one), one])));
  }
  const tenants = new Set(await registry.listTenants());
  const leaving = new Set(
    (await registry.staleCollections()).map(({ tenant, name }) => scopeKey({ tenant, collection: name })),
  );
  const pending = new Set(
    (await registry.staleVersions({ limit: allStale })).map((one) =>
      staleKey(one, { document_id: one.documentId, version: one.version }),
    ),
  );
  const versions = await registry.auditVersions(tenant, named);
  const byCollection = Map.groupBy(versions, ({ collection }) => collection);
  const known = (await registry.listCollections(tenant)).map(({ name }) => name);

  const findings: Finding[] = [];
  const collections: AuditReport['collections'] = [];
  for (const name of known.filter((one) => named === undefined || one === named)) {
    signal.throwIfAborted();
    const scope = { tenant, collection: name };
    const rows = stored.get(scopeKey(scope)) ?? new Map();
    const own = byCollection.get(name) ?? [];
    const visible = own.filter((one) => one.state === 'visible' && !one.deleting);
    const kept = new Set(own.filter(isKept).map(keyOf));
    const seen = new Set(visible.map(keyOf));
    let storedRows = 0;
    for (const one of visible) {
      const there = rows.get(keyOf(one))?.rows ?? 0;
      storedRows += there;
      if (there !== one.chunks) findings.push(countDiffers(one, there));
    }
    let [pendingPurges, otherRows] = [0, 0];
    for (const [key, row] of rows) {
      if (!seen.has(key)) otherRows += row.rows;
      if (kept.has(key)) continue;
      if (pending.has(staleKey(scope, row))) pendingPurges += 1;
      else findings.push(unowned('orphan_rows', scope, row, 'of a version that nobody knows or shows'));
    }
    const words = await countWords(store, scope);
    if (words.lexical !== words.rows) findings.push(wordsDiffer(name, words));
    collections.push({
      ...{ name, documents: visible.length, chunks: visible.reduce((sum, one) => sum + one.chunks, 0) },
      ...{ stored_rows: storedRows, lexical_rows: Math.max(0, words.lexical - otherRows) },
      pending_purges: pendingPurges,
    });
  }
  for (const scope of scopes) {
    if (scope.tenant === tenant ? known.includes(scope.collection) : tenants.has(scope.tenant)) continue;
    if (leaving.has(scopeKey(scope))) continue;
    const whose = scope.tenant === tenant ? 'a collection' : `a tenant (${scope.tenant})`;
    for (const row of stored.get(scopeKey(scope))?.values() ?? [])
      findings.push(unowned('foreign_rows', scope, row, `of ${whose} that does not exist`));
  }
  return { collections, findings, versions };
}

/** Its rows are meant to be in the store: seen, or being written. */
const isKept = ({ state, deleting }: AuditedVersion) =>
  !deleting && (state === 'visible' || state === 'building');

const keyOf = ({ documentId, version }: AuditedVersion) => versionKey({ document_id: documentId, version });
const scopeKey = ({ tenant, collection }: Scope) => JSON.stringify([tenant, collection]);
const staleKey = (scope: Scope, version: DocumentVersion) => `${scopeKey(scope)} ${versionKey(version)}`;

async function countWords(store: RowsLookDeps['store'], scope: Scope) {
  let counted = { rows: 0, lexical: 0 };
  for (let round = 0; round < countsPerLook; round += 1) {
    const rows = await store.count(scope);
    counted = { rows, lexical: await store.lexicalCount(scope) };
    if (counted.lexical === rows) break;
  }
  return counted;
}

const again =
  'The rows cannot be mended: delete the document and ingest it again (its original: GET /api/documents/{id}/content).';

function countDiffers(one: AuditedVersion, there: number): Finding {
  return {
    problem: {
      kind: there < one.chunks ? 'missing_rows' : 'surplus_rows',
      collection: one.collection,
      document_id: one.documentId,
      version: one.version,
      detail: `${one.chunks} chunks by the registry, ${there} rows in the store. ${again}`,
    },
  };
}

function unowned(
  kind: 'orphan_rows' | 'foreign_rows',
  scope: Scope,
  { document_id, version, rows }: DocumentVersion & { rows: number },
  whose: string,
): Finding {
  return {
    problem: { kind, collection: scope.collection, document_id, version, detail: `${rows} rows ${whose}` },
    remedy: { rows: { tenant: scope.tenant, collection: scope.collection, document_id, version } },
  };
}

function wordsDiffer(collection: string, { rows, lexical }: { rows: number; lexical: number }): Finding {
  return {
    problem: {
      kind: 'lexical_mismatch',
      collection,
      document_id: null,
      version: null,
      detail: `${rows} rows in the store, ${lexical} of them found by words. A restart of the retriever reads them anew.`,
    },
  };
}
