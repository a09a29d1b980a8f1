import { z } from 'zod';
import { type Random, randomFor } from './random.ts';

export interface Question {
  query: string;
  /** Document that must be among the sources; without it any answer will do. */
  expected?: string;
}

const subjects = [
  'the encoder',
  'the retriever',
  'the gateway',
  'a generator replica',
  'the ingest worker',
  'a lease',
  'the reaper',
  'a dead letter',
  'the answer cache',
  'a collection',
  'the registry',
  'the vector store',
  'a deadline',
  'a citation',
  'the circuit breaker',
  'a webhook',
  'the completion key',
  'the relevance floor',
  'hybrid search',
  'a chunk of a document',
];
const forms = [
  (subject: string) => `What is ${subject} for?`,
  (subject: string) => `How does ${subject} work?`,
  (subject: string) => `What happens when ${subject} fails?`,
  (subject: string) => `Where is the state of ${subject} kept?`,
  (subject: string) => `Which setting changes ${subject}?`,
  (subject: string) => `What should I know about ${subject} before going to production?`,
];

/** Plain questions that Vortex's own documentation, its first collection, has something to say on. */
export const builtInQuestions: readonly Question[] = subjects.flatMap((subject) =>
  forms.map((form) => ({ query: form(subject) })),
);

const questionLine = z
  .object({
    query: z.string().min(1).optional(),
    /** As in a BEIR folder's queries.jsonl. */
    text: z.string().min(1).optional(),
    expected: z.string().optional(),
  })
  .transform(({ query, text, expected }) => ({
    query: query ?? text ?? '',
    ...(expected !== undefined && { expected }),
  }))
  .refine(({ query }) => query !== '');

/**
 * One question a line, as plain text or as JSON (`{"query"}` or `{"text"}`, `expected` a document id).
 * @throws Error with the line that cannot be read
 */
export function readQuestions(text: string): Question[] {
  const found: Question[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '') continue;
    if (!line.startsWith('{')) {
      found.push({ query: line });
      continue;
    }
    try {
      found.push(questionLine.parse(JSON.parse(line)));
    } catch {
      throw new Error(`line ${index + 1} is neither a question nor {"query": "…"}`);
    }
  }
  if (found.length === 0) throw new Error('there is no question in it');
  return found;
}

/** Deals all questions in an order that the seed decides, then all of them again in another. */
export function dealQuestions(questions: readonly Question[], seed: number): () => Question {
  const random = randomFor(seed, 'questions');
  let deck: Question[] = [];
  return () => {
    if (deck.length === 0) deck = shuffled(questions, random);
    return deck.pop() as Question;
  };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const deck = [...items];
  for (let last = deck.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [deck[last], deck[other]] = [deck[other] as Item, deck[last] as Item];
  }
  return deck;
}
