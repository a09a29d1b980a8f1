import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join, relative, resolve, sep } from 'node:path';
import { createClient, type VortexClient } from '@vortex/client';
import type { JobResponse } from '@vortex/contracts';
import { SingleBar } from 'cli-progress';
import { titleOf } from './demo-documents.ts';
import { gatewayUrl } from './instance-address.ts';
import { CommandProblem, messageOf } from './problem.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface IngestOptions {
  data?: string;
  url?: string;
  collection: string;
  json: boolean;
}

export interface IngestedFile {
  path: string;
  status: 'completed' | 'failed';
  document_id: string | null;
  chunk_count: number | null;
  error: string | null;
}

const kinds = new Set(['.txt', '.text', '.md', '.markdown', '.mdown', '.rst', '.log', '.adoc']);
const filesAtATime = 4;

/**
 * Sends files and waits until they can be found. False when one failed.
 * @throws CommandProblem when there is nothing to read; GatewayUnreachable
 */
export async function ingestFiles(
  paths: readonly string[],
  options: IngestOptions,
  terminal: Terminal,
): Promise<boolean> {
  const files = findFiles(paths);
  const client = createClient({ url: gatewayUrl(options) });
  const progress = showProgress(files.length, terminal);
  const results: IngestedFile[] = [];
  try {
    const queue = files.values();
    await Promise.all(
      Array.from({ length: Math.min(filesAtATime, files.length) }, async () => {
        for (const file of queue) {
          const result = await ingestFile(client, file, options.collection);
          results.push(result);
          progress.one(result);
        }
      }),
    );
  } finally {
    progress.end();
    await client.close();
  }
  results.sort((one, other) => one.path.localeCompare(other.path));
  if (options.json) console.log(JSON.stringify({ collection: options.collection, files: results }, null, 2));
  else console.log(describeResults(results, options.collection));
  return results.every(({ status }) => status === 'completed');
}

interface TextFile {
  path: string;
  /** Where it lies below what was named on the command line: the caller's id for the document. */
  name: string;
}

/**
 * Folders with all below them but hidden entries and node_modules; a file named by hand is taken whatever
 * its ending says.
 * @throws CommandProblem for a path that is not there, or when no text file was found
 */
export function findFiles(paths: readonly string[]): TextFile[] {
  const missing = paths.filter((path) => statSync(path, { throwIfNoEntry: false }) === undefined);
  if (missing.length > 0) {
    throw new CommandProblem(`There is no ${missing.join(', no ')}.`, { exitCode: 2 });
  }
  const found = paths.flatMap((path): TextFile[] => {
    if (!statSync(path).isDirectory()) return [{ path, name: basename(path) }];
    const root = resolve(path);
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && kinds.has(extname(entry.name).toLowerCase()))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ path: file, name: relative(root, file).split(sep).join('/') }))
      .filter(({ name }) => !name.split('/').some((part) => part.startsWith('.') || part === 'node_modules'));
  });
  const files = [...new Map(found.map((file) => [resolve(file.path), file])).values()];
  if (files.length === 0) {
    throw new CommandProblem(`No text or Markdown file below ${paths.join(', ')}.`, {
      ways: [`Files that are read: ${[...kinds].join(' ')}`],
      exitCode: 2,
    });
  }
  return files;
}

async function ingestFile(client: VortexClient, file: TextFile, collection: string): Promise<IngestedFile> {
  const failed = (error: string): IngestedFile => ({
    path: file.path,
    status: 'failed',
    document_id: null,
    chunk_count: null,
    error,
  });
  let content: string;
  try {
    content = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file.path));
  } catch (error) {
    return failed(error instanceof TypeError ? 'is not UTF-8 text' : messageOf(error));
  }
  if (content.trim() === '') return failed('has no text');
  try {
    const accepted = await client.ingest({
      document_id: file.name,
      content,
      collection,
      title: titleOf(content) ?? file.name,
    });
    return resultOf(file.path, await client.waitForJob(accepted.job_id));
  } catch (error) {
    if (error instanceof Error && error.name === 'GatewayUnreachable') throw error;
    return failed(messageOf(error));
  }
}

function resultOf(path: string, job: JobResponse): IngestedFile {
  const { document_id, chunk_count } = job.result ?? {};
  return {
    path,
    status: job.status === 'completed' ? 'completed' : 'failed',
    document_id: typeof document_id === 'string' ? document_id : null,
    chunk_count: typeof chunk_count === 'number' ? chunk_count : null,
    error: job.status === 'completed' ? null : (job.error ?? job.status),
  };
}

function showProgress(total: number, terminal: Terminal): { one(file: IngestedFile): void; end(): void } {
  if (!process.stderr.isTTY) {
    let done = 0;
    return {
      one: ({ path, status, error }) => {
        done += 1;
        terminal.note(`  ${done}/${total} ${path}: ${error ?? status}`);
      },
      end: () => {},
    };
  }
  const bar = new SingleBar({
    format: '  {bar} {value}/{total} files, {eta_formatted} left: {file}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  bar.start(total, 0, { file: '' });
  return {
    one: ({ path }) => bar.increment(1, { file: basename(path) }),
    end: () => bar.stop(),
  };
}

function describeResults(results: readonly IngestedFile[], collection: string): string {
  const failed = results.filter(({ status }) => status === 'failed').length;
  const chunks = results.reduce((sum, { chunk_count }) => sum + (chunk_count ?? 0), 0);
  return [
    table(
      ['file', 'chunks', 'document', 'note'],
      results.map(({ path, chunk_count, document_id, error }) => [
        path,
        chunk_count,
        document_id,
        error ?? '',
      ]),
    ),
    '',
    `${results.length - failed} of ${results.length} files in collection ${collection}, ${chunks} chunks${failed > 0 ? `; ${failed} failed` : ''}`,
  ].join('\n');
}
