import { createClient, type VortexClient } from '@vortex/client';
import type { ChunkingStrategy, IfExists, UploadFields } from '@vortex/contracts';
import { launcherName } from '../folders.ts';
import { gatewayOf } from '../instance-address.ts';
import { messageOf } from '../problem.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { type FoundFile, findFiles, scanFiles } from './find-files.ts';
import { type IngestedFile, ingestOne } from './ingest-one.ts';
import { outcomeOf, showIngestProgress } from './ingest-progress.ts';
import { takeSnapshot, watchFiles } from './watch-files.ts';

export interface IngestOptions {
  data?: string;
  url?: string;
  collection: string;
  json: boolean;
  watch: boolean;
  /** With `watch`: a file that goes takes its document with it. */
  delete: boolean;
  chunkSize?: number;
  chunkOverlap?: number;
  strategy?: ChunkingStrategy;
  metadata?: Record<string, unknown>;
  ifExists?: IfExists;
}

const filesAtATime = 4;

/**
 * Uploads files and waits until they can be found; with `watch` goes on with what changes until Ctrl-C. False
 * when a file of the first pass failed.
 * @throws CommandProblem when there is nothing to read; GatewayUnreachable
 */
export async function ingestFiles(
  paths: readonly string[],
  options: IngestOptions,
  terminal: Terminal,
): Promise<boolean> {
  const files = findFiles(paths, { mayBeEmpty: options.watch });
  const before = takeSnapshot(files);
  const client = createClient(gatewayOf(options));
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const results = await ingestAll(client, files, options, terminal, stop.signal);
    report(results, options, terminal);
    if (options.watch && !stop.signal.aborted) {
      await keepUp({ client, paths, options, terminal, before, results, signal: stop.signal });
    }
    return results.every(({ status }) => ['completed', 'unchanged', 'skipped'].includes(status));
  } finally {
    process.removeListener('SIGINT', onInterrupt);
    await client.close();
  }
}

/** Four at a time, in their order. A gateway that stays away ends the run: the rest is `not_sent`. */
async function ingestAll(
  client: VortexClient,
  files: readonly FoundFile[],
  options: IngestOptions,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<IngestedFile[]> {
  const fields = fieldsOf(options);
  const progress = showIngestProgress(files.length, terminal);
  const away = new AbortController();
  const signal = AbortSignal.any([stop, away.signal]);
  let complaint: string | null = null;
  const results: IngestedFile[] = [];
  try {
    const queue = files.values();
    await Promise.all(
      Array.from({ length: Math.min(filesAtATime, files.length) }, async () => {
        for (const file of queue) {
          if (signal.aborted) {
            results.push(notSent(file));
            continue;
          }
          const shown = progress.begin(file);
          const result = await ingestOne({ client, file, fields, progress: shown, signal }).catch(
            (error: unknown) => {
              complaint = messageOf(error);
              away.abort();
              return { ...notSent(file), error: complaint };
            },
          );
          results.push(result);
          shown.done(result);
        }
      }),
    );
  } finally {
    progress.end();
  }
  if (complaint !== null) terminal.note(`vortex: ${complaint}`);
  return results.sort((one, other) => one.path.localeCompare(other.path));
}

/** The watch itself: a file that fails is told and does not end it. */
async function keepUp(run: {
  client: VortexClient;
  paths: readonly string[];
  options: IngestOptions;
  terminal: Terminal;
  before: ReturnType<typeof takeSnapshot>;
  results: readonly IngestedFile[];
  signal: AbortSignal;
}): Promise<void> {
  const { client, paths, options, terminal, signal } = run;
  const documentIds = new Map<string, string>();
  const remember = (results: readonly IngestedFile[]) => {
    for (const { name, document_id } of results) if (document_id !== null) documentIds.set(name, document_id);
  };
  remember(run.results);
  terminal.note(`Watching ${paths.join(', ')}; Ctrl-C ends it.`);
  await watchFiles({
    scan: () => scanFiles(paths),
    before: run.before,
    signal,
    async onChange({ changed, gone }) {
      if (options.delete) {
        for (const { name } of gone) await forget(name);
      }
      if (changed.length === 0) return [];
      const results = await ingestAll(client, changed, options, terminal, signal);
      remember(results);
      for (const result of results) {
        console.log(options.json ? JSON.stringify(result) : `${result.path}: ${outcomeOf(result)}`);
      }
      return results.filter(({ status }) => status === 'not_sent');
    },
  });

  async function forget(name: string): Promise<void> {
    const id = documentIds.get(name);
    if (id === undefined) return;
    documentIds.delete(name);
    try {
      await client.documents.delete(id, { signal });
      console.log(
        options.json ? JSON.stringify({ name, document_id: id, status: 'deleted' }) : `${name}: deleted`,
      );
    } catch (error) {
      if (!signal.aborted) terminal.note(`  ${name} was not deleted: ${messageOf(error)}`);
    }
  }
}

function fieldsOf(options: IngestOptions): UploadFields {
  const { collection, chunkSize, chunkOverlap, strategy, metadata, ifExists } = options;
  return {
    collection,
    ...(chunkSize !== undefined && { chunk_size: chunkSize }),
    ...(chunkOverlap !== undefined && { chunk_overlap: chunkOverlap }),
    ...(strategy !== undefined && { chunking_strategy: strategy }),
    ...(metadata !== undefined && { metadata }),
    ...(ifExists !== undefined && { if_exists: ifExists }),
  };
}

function notSent({ path, name }: FoundFile): IngestedFile {
  const nothing = { job_id: null, document_id: null, chunk_count: null, seconds: null };
  return { path, name, status: 'not_sent', ...nothing, error: null, error_code: null, notes: [] };
}

function report(results: readonly IngestedFile[], options: IngestOptions, terminal: Terminal): void {
  if (options.json && options.watch) for (const result of results) console.log(JSON.stringify(result));
  else if (options.json)
    console.log(JSON.stringify({ collection: options.collection, files: results }, null, 2));
  else if (results.length > 0) console.log(describeResults(results, options.collection));
  const waiting = results.filter(({ status }) => status === 'waiting').length;
  if (waiting > 0) {
    const files = waiting === 1 ? 'One file is' : `${waiting} files are`;
    terminal.note(`${files} still being read; the jobs go on: ${launcherName()} jobs list`);
  }
}

const stateWords: Record<IngestedFile['status'], string> = {
  completed: 'ready',
  unchanged: 'unchanged',
  skipped: 'skipped',
  failed: 'failed',
  cancelled: 'cancelled',
  waiting: 'under way',
  not_sent: 'not sent',
};

/** The table at the end, and what it comes to. */
function describeResults(results: readonly IngestedFile[], collection: string): string {
  const here = results.filter(({ status }) => ['completed', 'unchanged', 'skipped'].includes(status)).length;
  const failed = results.filter(({ status }) => status === 'failed').length;
  const chunks = results.reduce((sum, { chunk_count }) => sum + (chunk_count ?? 0), 0);
  return [
    table(
      ['file', 'chunks', 'seconds', 'state', 'reason'],
      results.map(({ path, chunk_count, seconds, status, error, error_code, notes }) => [
        path,
        chunk_count,
        seconds?.toFixed(1) ?? null,
        stateWords[status],
        error === null ? notes.join('; ') : `${error}${error_code === null ? '' : ` (${error_code})`}`,
      ]),
    ),
    '',
    `${here} of ${results.length} files in collection ${collection}, ${chunks} chunks${failed > 0 ? `; ${failed} failed` : ''}`,
  ].join('\n');
}
