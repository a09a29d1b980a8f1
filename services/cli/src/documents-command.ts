import { pipeline } from 'node:stream/promises';
import { type DocumentResponse, type MetadataFilter, metadataFilter } from '@vortex/contracts';
import { harmlessLines } from '@vortex/terminal';
import { CommandProblem } from './problem.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import {
  describeFields,
  gather,
  type InstanceOptions,
  isWanted,
  printJson,
  useGateway,
} from './use-gateway.ts';

type DocumentState = DocumentResponse['state'];

export async function listDocuments(
  options: InstanceOptions & {
    collection?: string;
    state?: DocumentState;
    q?: string;
    limit: number;
    json: boolean;
  },
): Promise<void> {
  const { collection, state, q } = options;
  const documents = await useGateway(options, (client) =>
    gather(options.limit, async (limit, after) => {
      const page = await client.documents.list({ collection, state, q, limit, after });
      return { items: page.documents, next: page.next };
    }),
  );
  if (options.json) printJson({ documents });
  else console.log(describeDocuments(documents));
}

function describeDocuments(documents: readonly DocumentResponse[]): string {
  if (documents.length === 0) return 'No documents.';
  return table(
    ['document', 'collection', 'title', 'type', 'KB', 'pages', 'chunks', 'state', 'reason'],
    documents.map((document) => [
      document.id,
      document.collection,
      shortened(document.title, 40),
      document.media_type.length > 30 ? (document.filename?.split('.').at(-1) ?? '') : document.media_type,
      Math.ceil(document.bytes / 1000),
      document.pages,
      document.chunks,
      document.state,
      document.last_error === null ? '' : document.last_error.code,
    ]),
  );
}

export async function showDocument(
  id: string,
  options: InstanceOptions & { text?: boolean; chunks?: boolean; content?: boolean; json: boolean },
): Promise<void> {
  await useGateway(options, async (client) => {
    if (options.content) {
      await pipeline(await client.documents.content(id), process.stdout, { end: false });
    } else if (options.text) {
      const text = await client.documents.text(id);
      if (options.json) printJson({ id, text });
      else process.stdout.write(asShown(text));
    } else if (options.chunks) {
      const chunks = await gather(Number.POSITIVE_INFINITY, async (limit, after) => {
        const page = await client.documents.chunks(id, { limit, ...(after !== undefined && { after }) });
        return { items: page.chunks, next: page.next };
      });
      if (options.json) printJson({ id, chunks });
      else
        for (const { chunk_id, page, source_span, heading_path, text } of chunks) {
          const place = [page === null ? null : `page ${page}`, ...heading_path].filter(
            (part) => part !== null,
          );
          const head = `── ${chunk_id}  ${source_span.join('–')}  ${place.join(' › ')}`;
          console.log(harmlessLines(`${head}\n${text}\n`));
        }
    } else {
      const document = await client.documents.get(id);
      if (options.json) printJson(document);
      else console.log(describeFields(document));
    }
  });
}

/** Those named, one after the other; or, without ids, those that all given conditions fit. */
export async function deleteDocuments(
  ids: readonly string[],
  options: InstanceOptions & {
    collection?: string;
    state?: Exclude<DocumentState, 'deleting'>;
    q?: string;
    filter?: Record<string, unknown>;
    dryRun: boolean;
    yes: boolean;
    json: boolean;
  },
  terminal: Terminal,
): Promise<void> {
  const { collection, state, q } = options;
  const byFilter = [collection, state, q, options.filter].some((condition) => condition !== undefined);
  if (ids.length === 0 && !byFilter) {
    throw new CommandProblem('Which documents?', {
      ways: ['Name ids, or conditions: --collection, --state, --q, --filter'],
      exitCode: 2,
    });
  }
  const request = {
    ...(ids.length > 0 && { ids: [...ids] }),
    ...(collection !== undefined && { collection }),
    ...(state !== undefined && { state }),
    ...(q !== undefined && { q }),
    ...(options.filter !== undefined && { filter: parseFilter(options.filter) }),
  };
  await useGateway(options, async (client) => {
    if (!byFilter && !options.dryRun) {
      const question = `Delete ${ids.length === 1 ? `the document ${ids[0]}` : `${ids.length} documents`}?`;
      if (!(await isWanted(question, { yes: options.yes, mustBeAsked: false }, terminal))) return;
      // One by one: an unknown id is a problem, where a condition that fits nothing is not.
      for (const id of ids) {
        const deleted = await client.documents.delete(id);
        if (options.json) printJson(deleted);
        else console.log(`${id}: ${deleted.message}`);
      }
      return;
    }
    const would = await client.documents.deleteByFilter({ ...request, dry_run: true });
    if (!options.dryRun && would.deleted > 0) {
      const question = `Delete ${would.deleted} document${would.deleted === 1 ? '' : 's'}?`;
      if (!(await isWanted(question, { yes: options.yes, mustBeAsked: true }, terminal))) return;
    }
    const result =
      options.dryRun || would.deleted === 0 ? would : await client.documents.deleteByFilter(request);
    if (options.json) return printJson(result);
    const left = result.deleted - result.ids.length;
    console.log([...result.ids, ...(left > 0 ? [`… and ${left} more`] : [])].join('\n'));
    console.log(`${result.deleted} ${result.dry_run ? 'would be' : 'were'} deleted`);
  });
}

/** @throws CommandProblem (exit 2) */
export function parseFilter(filter: Record<string, unknown>): MetadataFilter {
  const parsed = metadataFilter.safeParse(filter);
  if (parsed.success) return parsed.data;
  throw new CommandProblem(`This filter is none: ${parsed.error.issues[0]?.message ?? 'not valid'}.`, {
    ways: [
      'It looks like {"field":"year","op":"gte","value":2020}, or {"all":[…]}, {"any":[…]}, {"not":…}',
      'op is one of eq, ne, in, gt, gte, lt, lte, exists',
    ],
    exitCode: 2,
  });
}

export function shortened(text: string, longest: number): string {
  const letters = [...text.replaceAll(/\s+/g, ' ')];
  return letters.length <= longest ? letters.join('') : `${letters.slice(0, longest - 1).join('')}…`;
}

/** To a terminal without what would steer it; to a file or a pipe as it is. */
function asShown(text: string): string {
  const whole = text.endsWith('\n') ? text : `${text}\n`;
  return process.stdout.isTTY ? harmlessLines(whole) : whole;
}
