import type { Collection, ModelBinding, ModelOfCollection } from '../records.ts';
import { UnknownCollection } from '../registry-failures.ts';
import { findCollection } from './find-collection.ts';
import { first, type SqlSession } from './steps.ts';

export async function bindModel(
  { read, write, now }: SqlSession,
  asked: ModelOfCollection,
): Promise<ModelBinding> {
  const { tenant, collection, embeddingModel, dimension } = asked;
  // Bound already is the usual case, asked once per group: no write transaction for it.
  const seen = await read(() => findCollection(tenant, collection));
  if (seen === null) throw new UnknownCollection(tenant, collection);
  if (seen.embeddingModel !== null) return compare(seen, asked);
  return write(function* () {
    const bound = yield* first(
      `UPDATE collections SET embedding_model = :embeddingModel, dimension = :dimension, revision = revision + 1,
              updated_at = :at
        WHERE tenant = :tenant AND name = :collection AND state = 'active' AND embedding_model IS NULL RETURNING name`,
      { tenant, collection, embeddingModel, dimension, at: now() },
    );
    if (bound !== undefined) return { outcome: 'bound' } as const;
    const current = yield* findCollection(tenant, collection);
    if (current === null) throw new UnknownCollection(tenant, collection);
    return compare(current, asked);
  });
}

function compare({ embeddingModel, dimension }: Collection, asked: ModelOfCollection): ModelBinding {
  if (embeddingModel === asked.embeddingModel && dimension === asked.dimension)
    return { outcome: 'unchanged' };
  return { outcome: 'mismatch', stored: { embeddingModel: embeddingModel ?? '', dimension: dimension ?? 0 } };
}
