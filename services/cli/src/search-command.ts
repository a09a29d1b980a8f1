import type { Hit, SearchMode, SearchRequest, SearchResponse } from '@vortex/contracts';
import { harmlessLines } from '@vortex/terminal';
import { parseFilter, shortened } from './documents-command.ts';
import { CommandProblem } from './problem.ts';
import { type InstanceOptions, printJson, useGateway } from './use-gateway.ts';

export interface SearchOptions extends InstanceOptions {
  collection?: string;
  mode?: SearchMode;
  topK?: number;
  filter?: Record<string, unknown>;
  neighbours?: number;
  json: boolean;
}

export async function search(question: string, options: SearchOptions): Promise<void> {
  if (question.trim() === '') throw new CommandProblem('The question is empty.', { exitCode: 2 });
  const { collection, mode, topK, filter, neighbours } = options;
  const request: SearchRequest = {
    query: question,
    ...(collection !== undefined && { collection }),
    ...(mode !== undefined && { mode }),
    ...(topK !== undefined && { top_k: topK }),
    ...(filter !== undefined && { filter: parseFilter(filter) }),
    ...(neighbours !== undefined && { neighbours }),
  };
  const response = await useGateway(options, (client) => client.search(request));
  if (options.json) printJson(response);
  else console.log(describeHits(response));
}

const shownCharacters = 300;

/** Each hit with its place, its score parts and the beginning of its text. */
function describeHits({ hits, collection, mode, degraded, timings_ms }: SearchResponse): string {
  const facts = [
    `${hits.length} passage${hits.length === 1 ? '' : 's'}`,
    mode,
    `collection ${collection}`,
    `${Math.round(timings_ms.total ?? 0)} ms`,
    ...(degraded.length > 0 ? [`degraded: ${degraded.join(', ')}`] : []),
  ];
  return harmlessLines([...hits.map(describeHit), `(${facts.join('; ')})`].join('\n\n'));
}

function describeHit(hit: Hit, index: number): string {
  const { title, heading_path, page, source_span, scores, neighbours } = hit;
  const place = [title, ...heading_path.filter((heading) => heading !== title)].join(' › ');
  const where = [
    ...(page === null ? [] : [`page ${page}`]),
    `characters ${source_span.join('–')}`,
    hit.document_id,
  ];
  const parts = [
    `score ${hit.score.toFixed(3)}`,
    ...(scores.dense === null ? [] : [`dense ${scores.dense.score.toFixed(3)} (${scores.dense.rank}.)`]),
    ...(scores.sparse === null ? [] : [`BM25 ${scores.sparse.score.toFixed(2)} (${scores.sparse.rank}.)`]),
  ];
  return [
    `[${index + 1}] ${place}`,
    `    ${where.join(', ')}; ${parts.join(', ')}`,
    ...(neighbours?.before ?? []).map(({ text }) => `  … ${shortened(text, shownCharacters)}`),
    `    ${shortened(hit.text, shownCharacters)}`,
    ...(neighbours?.after ?? []).map(({ text }) => `  … ${shortened(text, shownCharacters)}`),
  ].join('\n');
}
