import { type Message, type Passage, readPrompt } from './prompt.ts';
import { type Sentence, sentencesOf } from './sentences.ts';
import { stemsOf } from './stems.ts';

/**
 * The mock's "model": one to three sentences of the passages that share the most, and the rarest, words
 * with the question, each closed by the mark of its passage. The same prompt always gives the same text.
 */
const maxSentences = 3;
/** A further sentence must cover this share of the question's weight that is not covered yet. */
const worthAdding = 0.2;
/** For a word of the question that stands near the sentence: in its passage, or in that passage's title. */
const nearbyWeight = 0.3;

interface Candidate {
  passage: Passage;
  sentence: Sentence;
  /** Of the whole passage, and of its title. */
  stems: ReadonlySet<string>;
  headingStems: ReadonlySet<string>;
}

export function extractiveAnswer(messages: readonly Message[]): string {
  const { question, passages, expectsContext } = readPrompt(messages);
  if (passages.length > 0) return answerFrom(passages, question);
  if (expectsContext) return 'I have no context to answer this question from.';
  if (question === '') return 'I am a mock model. Send me numbered passages and a question.';
  return `You said: "${clip(question, 200)}". I am a mock model: I answer from the passages in my prompt, and there are none.`;
}

function answerFrom(passages: readonly Passage[], question: string): string {
  const candidates: Candidate[] = [];
  const examples: Candidate[] = [];
  for (const passage of passages) {
    const { sentences, stems } = sentencesOf(passage.text);
    const headingStems = new Set(stemsOf(passage.heading));
    for (const sentence of sentences) {
      const candidate = { passage, sentence, stems, headingStems };
      if (showsHowToAsk(sentence.text, question)) examples.push(candidate);
      else candidates.push(candidate);
    }
  }
  const first = candidates[0] ?? examples[0];
  if (first === undefined) return 'The passages I was given have no text.';

  const open = weightsOf(new Set(stemsOf(question)), candidates);
  const total = sum(open.values());
  const chosen: Candidate[] = [];
  while (chosen.length < maxSentences) {
    let best: Candidate | undefined;
    let bestScore = 0;
    for (const candidate of candidates) {
      const score = chosen.includes(candidate) ? 0 : scoreOf(candidate, open);
      if (score > bestScore) [best, bestScore] = [candidate, score];
    }
    if (best === undefined || (chosen.length > 0 && bestScore < worthAdding * total)) break;
    chosen.push(best);
    for (const stem of best.sentence.stems) open.delete(stem);
  }
  // Nothing in common by words: retrieval thought the first passage closest, so its opening is quoted.
  if (chosen.length === 0) chosen.push(first);
  return chosen.map(({ passage, sentence }) => `${closed(sentence.text)} [${passage.number}].`).join(' ');
}

/**
 * Documentation that shows how to ask the very question (a line of curl) does not answer it. Only a question is an
 * example of asking: a statement that is found word for word is what was looked for.
 */
function showsHowToAsk(sentence: string, question: string): boolean {
  const asks = /[?？؟]["'”’)]*$/.test(question.trim());
  return asks && question.length > 10 && sentence.toLowerCase().includes(question.toLowerCase());
}

/** Inverse document frequency of each question stem over the candidate sentences. */
function weightsOf(question: ReadonlySet<string>, candidates: readonly Candidate[]): Map<string, number> {
  const weights = new Map<string, number>();
  for (const stem of question) {
    let frequency = 0;
    for (const { sentence } of candidates) if (sentence.stems.has(stem)) frequency += 1;
    weights.set(stem, Math.log(1 + candidates.length / (frequency + 0.5)));
  }
  return weights;
}

function scoreOf({ sentence, stems, headingStems }: Candidate, weights: ReadonlyMap<string, number>): number {
  let own = 0;
  let near = 0;
  let matched = 0;
  for (const [stem, weight] of weights) {
    if (sentence.stems.has(stem)) {
      own += weight;
      matched += 1;
    } else if (stems.has(stem) || headingStems.has(stem)) near += nearbyWeight * weight;
  }
  // What stands nearby proves nothing: without a word of its own the sentence may be about anything.
  if (matched === 0) return 0;
  // Two words of a question say more than one rare word does.
  const coverage = 0.5 + (0.5 * matched) / weights.size;
  return (sentence.weight * coverage * (own + near)) / (1 + 0.02 * Math.max(0, sentence.wordCount - 25));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function closed(text: string): string {
  return clip(text, 400).replace(/[\s.!?:;,]+$/u, '');
}

function clip(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  const cut = text.lastIndexOf(' ', maxCharacters);
  return `${text.slice(0, cut > maxCharacters / 2 ? cut : maxCharacters).toWellFormed()} …`;
}
