import { setTimeout as delay } from 'node:timers/promises';
import type { AuditReport, Outcome } from '@vortex/contracts';
import type { ContentStore } from '@vortex/documents';
import type { Registry } from '@vortex/registry';
import type { StageHandler } from '@vortex/runtime';
import type { VectorStore } from '@vortex/vector-store';
import { type FilesLookDeps, lookAtFiles } from './audit-files.ts';
import { type Finding, lookAtRows, type RowsLookDeps } from './audit-look.ts';

/**
 * In: a tenant, perhaps one of its collections, and whether to mend. Out: what store and data folder hold, what they
 * should by the registry, and where the two differ. Refused: a collection that does not exist.
 *
 *   a look ──nothing──────────────────────────────► clean
 *      └──something──► a pause ──► another look ──► what both have found ──repair──► mended, or left as it is
 *
 * Documents come and go while the audit reads, and no moment's picture of registry, store and folder is to be had.
 * But a version that is written, switched or purged meanwhile is at odds with its rows once, not twice: the states
 * between are short, and no version is in the same one again.
 */
export interface AuditDeps {
  registry: RowsLookDeps['registry'] &
    FilesLookDeps['registry'] &
    Pick<Registry, 'versionState' | 'getCollection'>;
  store: RowsLookDeps['store'] & Pick<VectorStore, 'deleteVersions'>;
  originals: Pick<ContentStore, 'list' | 'has' | 'discard'>;
  texts: Pick<ContentStore, 'list' | 'has' | 'discard'>;
  /** Between the two looks. */
  pauseMs?: number;
}

const shownProblems = 1000;

export function createAuditStage(deps: AuditDeps): StageHandler<'audit'> {
  const { registry, pauseMs = 2000 } = deps;

  return async function audit(input, { job, signal, now }): Promise<Outcome<'audit'>> {
    const { tenant } = job;
    const { collection } = input;
    if (collection !== undefined && (await registry.getCollection(tenant, collection)) === null) {
      return { kind: 'reject', code: 'collection_not_found', reason: `there is no collection ${collection}` };
    }
    const look = () => lookOnce({ ...deps, now }, tenant, collection, signal);
    let looked = await look();
    if (looked.findings.size > 0) {
      const before = looked.findings;
      await delay(pauseMs, undefined, { signal });
      looked = await look();
      for (const key of looked.findings.keys()) if (!before.has(key)) looked.findings.delete(key);
    }
    const problems: AuditReport['problems'] = [];
    for (const { problem, remedy } of looked.findings.values()) {
      signal.throwIfAborted();
      const repaired = input.repair && remedy !== undefined && (await mend(deps, remedy));
      problems.push({ ...problem, repaired });
    }
    const report: AuditReport = {
      clean: problems.every(({ repaired }) => repaired),
      collections: looked.collections,
      originals: looked.originals,
      texts: looked.texts,
      // What is still there comes first: after a repair of thousands it must not be cut off.
      problems: problems
        .sort((one, other) => Number(one.repaired) - Number(other.repaired))
        .slice(0, shownProblems),
      problem_count: problems.length,
    };
    return { kind: 'done', result: report };
  };
}

async function lookOnce(
  deps: AuditDeps & { now: () => number },
  tenant: string,
  collection: string | undefined,
  signal: AbortSignal,
) {
  const rows = await lookAtRows(deps, tenant, collection, signal);
  const all = collection === undefined;
  const originals = await lookAtFiles(deps, 'original', rows.versions, all, signal);
  const texts = await lookAtFiles(deps, 'text', rows.versions, all, signal);
  const findings = new Map<string, Finding>();
  for (const finding of [...rows.findings, ...originals.findings, ...texts.findings])
    findings.set(keyOf(finding), finding);
  return {
    collections: rows.collections,
    originals: originals.files,
    texts: texts.files,
    findings,
  };
}

/** Names what is wrong with what; numbers may have moved between two looks. */
function keyOf({ problem, remedy }: Finding): string {
  const { kind, collection, document_id, version } = problem;
  return JSON.stringify([kind, collection, document_id, version, remedy]);
}

/** Asks once more right before it removes anything. False: somebody needs it by now. */
async function mend(
  { registry, store, originals, texts }: AuditDeps,
  remedy: NonNullable<Finding['remedy']>,
): Promise<boolean> {
  if ('hash' in remedy) {
    const { file, hash } = remedy;
    const contents = file === 'original' ? originals : texts;
    return contents.discard(hash, async () => (await registry.ownedContents(file, [hash])).has(hash));
  }
  const { tenant, collection, document_id, version } = remedy.rows;
  const state = await registry.versionState(tenant, document_id, version);
  if (state === 'visible' || state === 'building') return false;
  await store.deleteVersions({ tenant, collection }, [{ document_id, version }]);
  return true;
}
