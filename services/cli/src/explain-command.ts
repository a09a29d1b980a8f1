import type { ExplainedCandidate, FailedTry, QueryExplanation, WaterfallBar } from '@vortex/contracts';
import { harmlessLines } from '@vortex/terminal';
import { shortened } from './documents-command.ts';
import { table } from './table.ts';
import { type InstanceOptions, printJson, useGateway } from './use-gateway.ts';

/** `vortex explain ID`: how a past answer came about, for a person or as the gateway tells it. */
export async function explain(id: string, options: InstanceOptions & { json: boolean }): Promise<void> {
  const story = await useGateway(options, (client) => client.explain(id));
  if (options.json) printJson(story);
  else console.log(harmlessLines(describeExplanation(story, process.stdout.columns ?? 100)));
}

export function describeExplanation(story: QueryExplanation, columns: number): string {
  const { timings_ms, waterfall, tries, retrieval, generation, error, degraded, missing } = story;
  const sections = [
    describeHead(story),
    ['Where the time went', ...describeWaterfall(waterfall, timings_ms, columns)],
    tries.length === 0 ? [] : ['Runs that were not the last', ...tries.map((one) => `  ${describeTry(one)}`)],
    retrieval === null ? [] : describeRetrieval(retrieval),
    generation === null ? [] : describeGeneration(generation),
    error === null
      ? []
      : ['Error', `  ${error.code}${error.stage === null ? '' : ` at ${error.stage}`}: ${error.message}`],
    degraded.length === 0 ? [] : [`Degraded: ${degraded.join(', ')}`],
    missing.length === 0
      ? []
      : [`Missing: what ${missing.join(', ')} wrote down (lost with the cache, or too large)`],
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function describeHead({ id, status, request, timings_ms, attempt }: QueryExplanation): string[] {
  const total =
    timings_ms.total === undefined ? '' : `, ${milliseconds(timings_ms.total)} of the client’s time`;
  const lines = [`${id}: ${status}${total}${attempt > 1 ? `, at attempt ${attempt}` : ''}`];
  if (request === null) return lines;
  const { question, asked_at, mode, request_id, trace_id, cache, shared_with, worker, replica } = request;
  if (question !== null) lines.push(`  “${shortened(question.replaceAll(/\s+/g, ' '), 90)}”`);
  lines.push(`  ${mode}, ${asked_at}, request ${request_id}, trace ${trace_id}`);
  if (worker !== null) lines.push(`  answered by ${worker} (${replica ?? 'no replica'})`);
  if (cache !== null)
    lines.push(`  answer cache: ${cache}${shared_with === null ? '' : `, the answer of ${shared_with}`}`);
  return lines;
}

const nameWidth = 16;
const msWidth = 10;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Bars end to end: each begins where the one before it ended. */
function describeWaterfall(
  bars: readonly WaterfallBar[],
  timings: Readonly<Record<string, number>>,
  columns: number,
): string[] {
  const end = bars.reduce((last, { start_ms, ms }) => Math.max(last, start_ms + ms), 0);
  const width = Math.max(10, Math.min(columns, 140) - nameWidth - msWidth - 6);
  const lines = bars.map(({ name, start_ms, ms }) => {
    const label = `  ${name.replace('_', ' ').padEnd(nameWidth)}${milliseconds(ms).padStart(msWidth)}  `;
    return (end === 0 ? label : label + barOf((start_ms / end) * width, (ms / end) * width)).trimEnd();
  });
  const first = timings.first_token;
  if (first !== undefined) lines.push(`  (the first token came ${milliseconds(first)} into generate)`);
  return lines;
}

function barOf(from: number, length: number): string {
  const start = Math.floor(from);
  const whole = Math.floor(length);
  const rest = eighths[Math.floor((length - whole) * 8)] ?? '';
  return ' '.repeat(start) + (whole === 0 && rest === '' ? '▏' : '█'.repeat(whole) + rest);
}

function describeTry({ kind, stage, worker, replica, code, reason, ms }: FailedTry): string {
  const where = `${stage ?? 'a stage'} at ${worker}${replica === undefined ? '' : ` (${replica})`}`;
  if (kind === 'lost') return `${where}: lost, its worker stopped beating; delivered again`;
  const what = kind === 'later' ? 'asked to be called later' : 'failed';
  const after = ms === undefined ? '' : ` after ${milliseconds(ms)}`;
  return `${where}: ${what}${after}${reason === undefined ? '' : `: ${reason}`}${code === undefined ? '' : ` (${code})`}`;
}

function describeRetrieval(retrieval: NonNullable<QueryExplanation['retrieval']>): string[] {
  const { collection, mode, top_k, ranked, relevance, cache, candidates, prompt, outcome } = retrieval;
  const counts = [
    ...(ranked.dense === null ? [] : [`${ranked.dense} by vectors`]),
    ...(ranked.sparse === null ? [] : [`${ranked.sparse} by words`]),
  ];
  const lines = [
    `Retrieval: ${mode} in ${collection}, top ${top_k} of ${counts.join(' and ') || 'nothing'}`,
    `  caches: embedding ${cache.embedding ?? 'not asked'}, retrieval ${cache.retrieval}`,
  ];
  if (relevance !== null) {
    const best = relevance.best === null ? 'none' : score(relevance.best);
    const words = relevance.found_by_words ? '; below it, but it has the question’s words' : '';
    const refused = outcome === 'refused' ? ': refused, no model was called' : '';
    lines.push(`  best cosine ${best}, floor ${score(relevance.floor)}${words}${refused}`);
  }
  if (candidates.length > 0) lines.push(indented(candidateTable(candidates)));
  if (prompt !== null) {
    const { allowed, used } = prompt.passage_tokens;
    const passages = prompt.passages === 1 ? 'passage' : 'passages';
    lines.push(`Prompt: ${prompt.passages} ${passages}, ${used} of ${allowed} tokens`);
  }
  return lines;
}

function candidateTable(candidates: readonly ExplainedCandidate[]): string {
  const place = (one: ExplainedCandidate['dense']) =>
    one === null ? '–' : `#${one.rank}  ${score(one.score)}`;
  return table(
    ['#', 'title', 'chunk', 'by vectors', 'by words', 'cosine', 'tokens', 'what became of it'],
    candidates.map(({ rank, title, document_id, chunk_id, dense, sparse, cosine, tokens, dropped }) => [
      rank,
      shortened(title ?? document_id, 28),
      chunk_id,
      place(dense),
      place(sparse),
      cosine === null ? null : score(cosine),
      tokens,
      dropped === null ? 'used' : `dropped: ${dropped.replaceAll('_', ' ')}`,
    ]),
  );
}

function describeGeneration(generation: NonNullable<QueryExplanation['generation']>): string[] {
  const { worker, replica, provider, model, tokens, finish, citations } = generation;
  const { kept, removed, kept_count, removed_count } = citations;
  const marks = kept.map(({ marker, chunk_id }) => `[${marker}] ${chunk_id}`).join(', ');
  const lines = [
    `Generation: ${worker} (${replica}), ${provider} ${model}, finished by ${finish}`,
    `  answer ${tokens.answer.used ?? 'unknown'} of ${tokens.answer.allowed} tokens, prompt ${tokens.prompt ?? 'unknown'} tokens by the model’s count`,
    `  citations: ${kept_count} kept${marks === '' ? '' : ` (${marks})`}, ${removed_count} removed`,
  ];
  for (const { marker, reason } of removed) {
    const why =
      reason === 'no_such_passage' ? 'there is no such passage' : 'the passage was left out of the prompt';
    lines.push(`    [${marker}] removed: ${why}`);
  }
  return lines;
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
}

function score(value: number): string {
  return value.toFixed(3);
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
