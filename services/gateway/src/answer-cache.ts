import { type Cache, cacheKeys, canonicalJson, keyDigest, normalizedText } from '@vortex/cache';
import {
  type Answer,
  type CacheOutcome,
  type Completed,
  defaultCollection,
  type MadeFrom,
} from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import { type Collection, collectionVersion, type Registry } from '@vortex/registry';
import type { Caller } from './access/caller.ts';
import { readsByNameOnly } from './access/collection-access.ts';
import type { Question } from './ask.ts';

/**
 * Answers that were given, kept in the cache Redis under the request they answer. An entry says what it was made from
 * (collection version, settings of retriever and generator), and is given again only while all of that still holds:
 *
 *   registry: the collection's version, read at the door ──► one MGET: entry, retriever's and generator's settings
 *        entry made from just these          hit
 *        entry made from anything else       stale: never given, overwritten by the answer that the pipeline makes
 *        no entry, or no word of settings    miss
 *        cache not configured or late        bypass
 *
 * The version moves in the commit that changes what a search may return, and is read before the entry: an answer from
 * before a change cannot be given to a question that came after it. It is compared and not digested into the key, so
 * that an outdated answer is overwritten where it stands and can be counted.
 */
export interface AnswerCache {
  /** Null: such a question is not kept (unknown or empty collection). Sharing goes by the slot too, also without a cache. */
  slotFor(caller: Pick<Caller, 'tenant' | 'collections'>, question: Question): Promise<AnswerSlot | null>;
  read(slot: AnswerSlot): Promise<{ outcome: Exclude<CacheOutcome, 'shared'>; answer?: Answer }>;
  /** Keeps an answer if it is whole and says what it was made from. Not waited for. */
  keep(slot: AnswerSlot, completed: Completed<Answer>): void;
}

/** Where the answer to a question is kept, and the state of the collection as it was when the question came. */
export interface AnswerSlot {
  key: string;
  collectionVersion: string;
}

interface Entry {
  made_from: MadeFrom & { collection_version: string };
  answer: Answer;
}

export function createAnswerCache(deps: {
  cache: Cache;
  registry: Pick<Registry, 'resolveCollection'>;
  metrics: Pick<Metrics, 'add'>;
  ttlMs: number;
}): AnswerCache {
  const { cache, registry, metrics, ttlMs } = deps;
  const settingKeys = [cacheKeys.settings('retrieve'), cacheKeys.settings('generate')];

  async function look(
    slot: AnswerSlot,
  ): Promise<{ outcome: Exclude<CacheOutcome, 'shared'>; answer?: Answer }> {
    if (ttlMs === 0) return { outcome: 'bypass' };
    const found = await cache.get([slot.key, ...settingKeys]);
    if (found === null) return { outcome: 'bypass' };
    const [bytes, retrieval, generation] = found;
    if (bytes == null || retrieval == null) return { outcome: 'miss' };
    const entry = entryFrom(bytes);
    if (entry === null) return { outcome: 'miss' };
    const made = entry.made_from;
    if (made.generation !== null && generation == null) return { outcome: 'miss' };
    const holds =
      made.collection_version === slot.collectionVersion &&
      made.retrieval === retrieval.toString() &&
      (made.generation === null || made.generation === generation?.toString());
    return holds ? { outcome: 'hit', answer: entry.answer } : { outcome: 'stale' };
  }

  return {
    async slotFor(caller, question) {
      const name = question.collection ?? defaultCollection;
      const collection = await registry.resolveCollection(caller.tenant, name, {
        byNameOnly: readsByNameOnly(caller),
      });
      const version = collection === null ? null : collectionVersion(collection);
      if (collection === null || version === null) return null;
      return { key: keyOf(collection, question), collectionVersion: version };
    },
    async read(slot) {
      const looked = await look(slot);
      metrics.add('rag_cache_lookups_total', { cache: 'answer', result: looked.outcome });
      return looked;
    },
    keep(slot, completed) {
      const {
        id: _id,
        v: _v,
        attempt: _attempt,
        status,
        timings_ms: _timings,
        made_from,
        ...answer
      } = completed;
      if (status !== 'completed' || answer.degraded.length > 0) return;
      if (made_from === undefined || made_from.collection_version === null) return;
      cache.put(slot.key, JSON.stringify({ made_from, answer }), ttlMs);
    },
  };
}

/** All that an answer depends on and the caller decides; the rest is in what it was made from. */
function keyOf({ tenant, name }: Collection, question: Question): string {
  const { query, top_k, mode, filter, max_tokens } = question;
  const request = canonicalJson([top_k ?? null, mode ?? null, filter ?? null, max_tokens ?? null]);
  return cacheKeys.entry('answer', keyDigest(tenant, name, normalizedText(query), request));
}

/** Only what is compared is checked: the answer was written by a gateway of the same format of keys. */
function entryFrom(bytes: Buffer): Entry | null {
  try {
    const entry = JSON.parse(bytes.toString()) as Partial<Entry> | null;
    const isWhole =
      typeof entry?.made_from?.retrieval === 'string' && typeof entry.answer?.answer === 'string';
    return isWhole ? (entry as Entry) : null;
  } catch {
    return null;
  }
}
