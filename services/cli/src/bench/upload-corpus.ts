import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VortexClient } from '@vortex/client';
import type { BenchDocument } from './passages.ts';

/** A corpus as files of a folder of its own, ready to be uploaded. */
export interface CorpusFiles {
  files: readonly { path: string; id: string; title: string | undefined }[];
  remove(): void;
}

export function writeCorpus(documents: readonly BenchDocument[]): CorpusFiles {
  const folder = mkdtempSync(join(tmpdir(), 'vortex-corpus-'));
  const files = documents.map(({ id, title, text }, index) => {
    const path = join(folder, `${index}.txt`);
    writeFileSync(path, text || title);
    return { path, id, title: title.trim() === '' ? undefined : title };
  });
  return { files, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface CorpusRun {
  documents: number;
  chunks: number;
  /** From the first 202 to the moment the last document can be found. */
  seconds: number;
  chunks_per_second: number;
}

const uploadsAtATime = 4;
const pollMs = 250;
/** Nothing became ready for so long: something is stuck. */
const stuckMs = 60_000;

/**
 * Uploads every file into a new collection and waits until all can be found. The end is seen by asking the
 * collection, four times a second: one request instead of one per document, which would be part of the load.
 * @throws when a document fails, or none becomes ready for a minute
 */
export async function uploadCorpus(
  client: VortexClient,
  corpus: CorpusFiles,
  collection: string,
  options: { onAccepted?: () => void; signal?: AbortSignal } = {},
): Promise<CorpusRun> {
  let firstAccepted: number | null = null;
  const queue = corpus.files.values();
  const uploading = Promise.all(
    Array.from({ length: uploadsAtATime }, async () => {
      for (const { path, id, title } of queue) {
        if (options.signal?.aborted) return;
        const fields = { collection, external_id: id, ...(title !== undefined && { title }) };
        await client.upload(path, fields);
        firstAccepted ??= performance.now();
        options.onAccepted?.();
      }
    }),
  );
  let refused: unknown;
  uploading.catch((error: unknown) => {
    refused = error;
  });
  await Promise.race([uploading, untilTrue(() => firstAccepted !== null)]);

  let seen = 0;
  let seenAt = performance.now();
  for (;;) {
    await delay(pollMs);
    if (options.signal?.aborted) {
      await uploading;
      return { documents: seen, chunks: 0, seconds: Number.NaN, chunks_per_second: Number.NaN };
    }
    if (refused !== undefined) throw refused;
    const { documents, chunks } = await client.collections.get(collection);
    const now = performance.now();
    if (documents === corpus.files.length) {
      await uploading;
      const seconds = (now - (firstAccepted ?? now)) / 1000;
      return { documents, chunks, seconds, chunks_per_second: chunks / seconds };
    }
    if (documents > seen) [seen, seenAt] = [documents, now];
    if (now - seenAt > 2000) await refuseFailed(client, collection);
    if (now - seenAt > stuckMs) {
      throw new Error(
        `${documents} of ${corpus.files.length} documents became ready, then none for a minute`,
      );
    }
  }
}

async function refuseFailed(client: VortexClient, collection: string): Promise<void> {
  const [failed] = (await client.documents.list({ collection, state: 'failed', limit: 1 })).documents;
  if (failed !== undefined) {
    throw new Error(
      `document ${failed.external_id} failed: ${failed.last_error?.message ?? 'no reason given'}`,
    );
  }
}

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5);
}

/** What the encoder is given for the chunks of a collection: context and text, as its stage puts them together. */
export async function embeddedTexts(
  client: VortexClient,
  collection: string,
  most: number,
): Promise<string[]> {
  const texts: string[] = [];
  let after: string | undefined;
  while (texts.length < most) {
    const page = await client.documents.list({ collection, limit: 200, after });
    for (const { id } of page.documents) {
      const { chunks } = await client.documents.chunks(id, { limit: 200 });
      for (const { context, text } of chunks) texts.push(context === '' ? text : `${context}\n${text}`);
    }
    if (page.next === null) break;
    after = page.next;
  }
  return texts.slice(0, most);
}
