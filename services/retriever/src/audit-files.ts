import type { ContentStore } from '@vortex/documents';
import type { AuditedVersion, ContentKind, Registry } from '@vortex/registry';
import type { Finding } from './audit-look.ts';

/** A younger file that nobody owns is an upload under way: its bytes are stored before its version stands in the registry. */
const underWayMs = 10 * 60_000;
const perQuestion = 500;

export interface FilesLookDeps {
  registry: Pick<Registry, 'ownedContents'>;
  originals: Pick<ContentStore, 'list' | 'has'>;
  texts: Pick<ContentStore, 'list' | 'has'>;
  now: () => number;
}

/**
 * Originals and texts against the versions that own them. Contents belong to no collection, so those without an
 * owner are looked for only when all collections are (`orphans`).
 */
export async function lookAtFiles(
  deps: FilesLookDeps,
  kind: ContentKind,
  versions: readonly AuditedVersion[],
  orphans: boolean,
  signal: AbortSignal,
): Promise<{ files: number; findings: Finding[] }> {
  const contents = kind === 'original' ? deps.originals : deps.texts;
  const findings: Finding[] = [];
  const present = new Set<string>();
  for (const one of versions) {
    const hash = kind === 'original' ? one.originalHash : one.textHash;
    if (hash === null || present.has(hash) || !isNeeded(one, kind)) continue;
    signal.throwIfAborted();
    if (await contents.has(hash)) present.add(hash);
    else findings.push(missing(kind, one, hash));
  }
  if (!orphans) return { files: present.size, findings };

  let files = 0;
  let old: string[] = [];
  const ask = async () => {
    signal.throwIfAborted();
    const owned = await deps.registry.ownedContents(kind, old);
    for (const hash of old.filter((one) => !owned.has(one))) findings.push(orphan(kind, hash));
    old = [];
  };
  for await (const { hash, modifiedAt } of contents.list()) {
    files += 1;
    if (deps.now() - modifiedAt < underWayMs) continue;
    old.push(hash);
    if (old.length === perQuestion) await ask();
  }
  await ask();
  return { files, findings };
}

/** A failed version's original is kept for another try; what else is not shown any more is on its way out. */
function isNeeded({ state, deleting }: AuditedVersion, kind: ContentKind): boolean {
  if (deleting) return false;
  return state === 'visible' || state === 'building' || (state === 'failed' && kind === 'original');
}

function missing(kind: ContentKind, one: AuditedVersion, hash: string): Finding {
  const lost =
    kind === 'original'
      ? 'Answers are not touched, but it can neither be fetched nor built again'
      : 'Citations cannot show their place in it';
  return {
    problem: {
      kind: kind === 'original' ? 'missing_original' : 'missing_text',
      collection: one.collection,
      document_id: one.documentId,
      version: one.version,
      detail: `${fileOf(kind, hash)} is not there. ${lost}: restore it from a backup, or delete the document and ingest it again.`,
    },
  };
}

function orphan(kind: ContentKind, hash: string): Finding {
  return {
    problem: {
      kind: kind === 'original' ? 'orphan_original' : 'orphan_text',
      collection: null,
      document_id: null,
      version: null,
      detail: `${fileOf(kind, hash)} belongs to no version`,
    },
    remedy: { file: kind, hash },
  };
}

function fileOf(kind: ContentKind, hash: string): string {
  return `${kind}s/${hash.slice(0, 2)}/${hash}`;
}
