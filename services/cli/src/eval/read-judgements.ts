import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnreadableDataset } from '../bench/dataset.ts';

/** Where BEIR's folders have them: beside the corpus, or one file per split. */
const places = ['qrels.tsv', 'qrels/test.tsv'];

/**
 * Grades by question and document: lines of question id, document id and grade, with tabs between; a first line without
 * a number is a header.
 * @throws UnreadableDataset naming the file and line.
 */
export function readJudgements(folder: string): Map<string, Map<string, number>> {
  const path = places.map((place) => join(folder, place)).find((file) => existsSync(file));
  if (path === undefined) {
    throw new UnreadableDataset(`${folder} has no judgements: neither ${places.join(' nor ')} is there`);
  }
  const judgements = new Map<string, Map<string, number>>();
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue;
    const [question = '', document = '', grade = '', ...more] = line.trimEnd().split('\t');
    const value = Number(grade);
    const readable = question !== '' && document !== '' && grade.trim() !== '' && more.length === 0;
    if (!readable || !Number.isFinite(value)) {
      if (index === 0 && readable) continue;
      throw new UnreadableDataset(`${path}:${index + 1} is no line of question, document and grade`);
    }
    const ofQuestion = judgements.get(question) ?? new Map<string, number>();
    judgements.set(question, ofQuestion.set(document, value));
  }
  return judgements;
}
