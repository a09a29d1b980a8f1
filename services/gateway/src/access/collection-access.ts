import { defaultCollection, demoCollection } from '@vortex/contracts';
import { failureProblem, gatewayProblem, type HttpProblem } from '../problem.ts';
import type { Caller } from './caller.ts';

/**
 * Keys that are for some collections only. What they may not see is not there, in the same words as what is not there;
 * only where a collection need not exist yet (a document makes it) does the key itself get the blame.
 */
export function maySee({ collections }: Pick<Caller, 'collections'>, name: string | undefined): boolean {
  return collections === null || collections.includes(name ?? defaultCollection);
}

/** An empty `default` stands for the documentation's collection, but not for a key that is not for that one. */
export function readsByNameOnly(caller: Pick<Caller, 'collections'>): boolean {
  return !maySee(caller, demoCollection);
}

/** @throws HttpProblem 404 `collection_not_found` */
export function assertMayRead(caller: Caller, name: string | undefined): void {
  if (!maySee(caller, name)) throw collectionNotFound(name ?? defaultCollection);
}

/** @throws HttpProblem 403 `collection_forbidden` */
export function assertMayFill(caller: Caller, name: string | undefined): void {
  if (maySee(caller, name)) return;
  throw gatewayProblem('collection_forbidden', {
    detail: `This key is not for the collection ${name ?? defaultCollection}. GET /api/collections lists those it is for.`,
  });
}

export function collectionNotFound(name: string): HttpProblem {
  return failureProblem({
    code: 'collection_not_found',
    message: `There is no collection ${name}. GET /api/collections lists them; POST /ingest creates one.`,
    stage: null,
    retryable: false,
  });
}
