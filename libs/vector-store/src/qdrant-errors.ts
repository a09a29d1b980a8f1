import { StoreRefused, StoreUnavailable, VectorStoreError } from './errors.ts';

/**
 * What a call to Qdrant failed of. An answer with a status of the 400s says that the same request will
 * fail again, but for 408 and 429; everything else (no answer, a late one, the 500s) may pass.
 */
export function translateQdrant(error: unknown, url: string): VectorStoreError {
  if (error instanceof VectorStoreError) return error;
  const status = statusOf(error);
  if (status === 401 || status === 403) {
    return new StoreRefused(`Qdrant at ${url} refuses the key (${status}): check QDRANT_API_KEY`, error);
  }
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return new StoreRefused(`Qdrant at ${url} refused the request (${status}): ${reasonOf(error)}`, error);
  }
  return new StoreUnavailable(`Qdrant at ${url} does not answer: ${reasonOf(error)}`, error);
}

/** The HTTP status Qdrant answered with; absent when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' ? status : undefined;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const data: unknown = 'data' in error ? error.data : undefined;
  if (typeof data === 'object' && data !== null) return JSON.stringify(data).slice(0, 500);
  // `fetch failed` says nothing; its cause is the refused connection or the unknown host.
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
