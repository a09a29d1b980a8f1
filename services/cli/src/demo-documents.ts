import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { VortexClient } from '@vortex/client';
import { demoCollection } from '@vortex/contracts';
import { repositoryRoot } from './folders.ts';

/** Vortex's own documentation: the first collection of a new instance, so that it can be asked about itself. */
export interface DemoDocument {
  /** Relative path, also the external id: the same file again replaces its chunks. */
  path: string;
  title: string;
  content: string;
}

const patterns = ['README.md', 'docs/**/*.md', 'libs/*/README.md', 'services/*/README.md'];

export function readDemoDocuments(root: string = repositoryRoot): DemoDocument[] {
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => ({ path, content: readFileSync(join(root, path), 'utf8') }))
    .filter(({ content }) => content.trim() !== '')
    .map(({ path, content }) => ({ path, content, title: titleOf(content) ?? path }));
}

export function titleOf(markdown: string): string | null {
  return /^#\s+(.+?)\s*#*\s*$/m.exec(markdown)?.[1]?.replaceAll('`', '') ?? null;
}

export interface DemoResult {
  sent: number;
  unchanged: number;
  failed: { path: string; reason: string }[];
}

/**
 * Sends what changed since `recordFile` was written, and waits until it can be found. `place` says where
 * the vectors live and of which model they are: another place knows nothing of the earlier sendings.
 * @throws ApiProblem, GatewayUnreachable
 */
export async function sendDemoDocuments(options: {
  client: VortexClient;
  documents: readonly DemoDocument[];
  recordFile: string;
  place: string;
  onProgress: (done: number, total: number) => void;
  signal?: AbortSignal;
}): Promise<DemoResult> {
  const { client, documents, recordFile, place } = options;
  const signal = options.signal ? { signal: options.signal } : {};
  const sent = readRecord(recordFile, place);
  const changed = documents.filter((document) => sent[document.path] !== sumOf(document));
  const failed: DemoResult['failed'] = [];
  let done = 0;
  options.onProgress(done, changed.length);

  const jobs: { document: DemoDocument; jobId: string }[] = [];
  for (const document of changed) {
    const accepted = await client.ingest(
      {
        user_id: 'vortex',
        document_id: document.path,
        content: document.content,
        collection: demoCollection,
        title: document.title,
      },
      signal,
    );
    jobs.push({ document, jobId: accepted.job_id });
  }
  await Promise.all(
    jobs.map(async ({ document, jobId }) => {
      const job = await client.waitForJob(jobId, signal);
      if (job.status === 'completed') sent[document.path] = sumOf(document);
      else failed.push({ path: document.path, reason: job.error ?? job.status });
      done += 1;
      options.onProgress(done, changed.length);
      writeRecord(recordFile, place, sent);
    }),
  );
  return { sent: changed.length - failed.length, unchanged: documents.length - changed.length, failed };
}

function sumOf({ title, content }: DemoDocument): string {
  return createHash('sha256').update(title).update('\0').update(content).digest('hex');
}

function readRecord(file: string, place: string): Record<string, string> {
  if (!existsSync(file)) return {};
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as { place?: unknown; sent?: unknown };
    if (record.place !== place || typeof record.sent !== 'object' || record.sent === null) return {};
    return { ...(record.sent as Record<string, string>) };
  } catch {
    return {};
  }
}

function writeRecord(file: string, place: string, sent: Record<string, string>): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ place, sent }, null, 2)}\n`);
}
