import { createClient, type Question, type VortexClient } from '@vortex/client';
import { type QueryResponse, questionFields } from '@vortex/contracts';
import { harmless, harmlessLines } from '@vortex/terminal';
import { dataFolder } from './folders.ts';
import { gatewayOf, runningInstance } from './instance-address.ts';
import { findOllama, mockNotice } from './language-model.ts';
import { CommandProblem } from './problem.ts';

export interface AskOptions {
  data?: string;
  url?: string;
  collection?: string;
  topK?: number;
  json: boolean;
}

/**
 * Asks, and prints the answer with its numbered sources: as it is made on a terminal, whole otherwise.
 * @throws ApiProblem, GatewayUnreachable, CommandProblem
 */
export async function ask(question: string, options: AskOptions): Promise<void> {
  assertQuestion(question, options.collection);
  const client = createClient(gatewayOf(options));
  const request: Question = {
    query: question,
    ...(options.collection !== undefined && { collection: options.collection }),
    ...(options.topK !== undefined && { top_k: options.topK }),
  };
  try {
    if (options.json) {
      console.log(JSON.stringify(await client.query(request), null, 2));
      return;
    }
    const response = process.stdout.isTTY
      ? await streamAnswer(client, request)
      : printAnswer(await client.query(request));
    console.log(describeSources(response));
    await noticeMock(options);
  } finally {
    await client.close();
  }
}

/** What the gateway would refuse as wrong is wrong usage here: exit code 2. */
function assertQuestion(query: string, collection: string | undefined): void {
  const { query: question, collection: name } = questionFields.shape;
  if (query.trim() === '') throw new CommandProblem('The question is empty.', { exitCode: 2 });
  const refused = question.safeParse(query).error ?? name.safeParse(collection).error;
  if (refused === undefined) return;
  const what = question.safeParse(query).success ? '--collection' : 'The question';
  throw new CommandProblem(`${what} ${refused.issues[0]?.message ?? 'is not as it must be'}.`, {
    exitCode: 2,
  });
}

async function streamAnswer(client: VortexClient, request: Question): Promise<QueryResponse> {
  let shown = '';
  for await (const event of client.stream(request)) {
    if (event.kind === 'delta') {
      shown += event.text;
      process.stdout.write(harmlessLines(event.text));
    }
    if (event.kind === 'error') {
      process.stdout.write('\n');
      const ways = event.problem.retryable ? ['The same question may work in a moment'] : [];
      throw new CommandProblem(event.problem.detail || event.problem.title, { ways });
    }
    if (event.kind === 'done') {
      // A refusal has no deltas; a run that another worker took over may have said something else at first.
      if (shown.trim() === '') process.stdout.write(harmlessLines(event.response.answer));
      else if (shown.trim() !== event.response.answer.trim())
        process.stdout.write(`\n\n${harmlessLines(event.response.answer)}`);
      process.stdout.write('\n');
      return event.response;
    }
  }
  throw new CommandProblem('The answer broke off: the gateway closed the stream.', {
    ways: ['Ask again; what happened is in the logs of the data folder'],
  });
}

function printAnswer(response: QueryResponse): QueryResponse {
  console.log(harmlessLines(response.answer));
  return response;
}

/** `[1] title › heading  (score 0.71)`, one line per passage that the answer cites. */
function describeSources(response: QueryResponse): string {
  const cited = new Map(response.citations.map((citation) => [citation.marker, citation]));
  const lines = [...cited.values()]
    .sort((one, other) => one.marker - other.marker)
    .map(({ marker, title, heading_path, score, source_span: [start, end] }) => {
      const place = [title, ...heading_path.filter((heading) => heading !== title)].join(' › ');
      return `  [${marker}] ${harmless(place)}  (characters ${start}–${end}, score ${score.toFixed(2)})`;
    });
  const facts = [
    response.worker === null
      ? 'no model was called'
      : `${response.worker}, ${response.model ?? 'unknown model'}`,
    `${Math.round(response.timings_ms.total ?? 0)} ms`,
    `collection ${response.collection}`,
    ...(response.cache === 'hit' ? ['from the cache'] : []),
    ...(response.degraded.length > 0 ? [`degraded: ${response.degraded.join(', ')}`] : []),
    // What `vortex explain` is asked with.
    response.id,
  ];
  return [
    '',
    ...(lines.length > 0 ? ['Sources:', ...lines] : ['Sources: none']),
    `(${facts.join('; ')})`,
  ].join('\n');
}

async function noticeMock(options: AskOptions): Promise<void> {
  if (options.url !== undefined) return;
  const run = runningInstance(dataFolder(options.data));
  if (run?.llm === 'mock') console.error(mockNotice(await findOllama()));
}
