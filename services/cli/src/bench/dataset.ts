import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type BenchDocument, type BenchQuestion, makePassages } from './passages.ts';

const corpusRow = z.object({ _id: z.coerce.string(), title: z.string().default(''), text: z.string() });
const queryRow = z.object({ _id: z.coerce.string(), text: z.string().min(1) });

export class UnreadableDataset extends Error {}

/**
 * A BEIR-format folder (`corpus.jsonl`, `queries.jsonl`), or without one 1,400 generated passages.
 * Rows without any text are left out: they cannot be ingested.
 * @throws UnreadableDataset naming the file and line.
 */
export function loadDataset(folder: string | undefined): {
  name: string;
  documents: BenchDocument[];
  questions: BenchQuestion[];
  /** Rows of the corpus that were left out. */
  emptyRows: number;
} {
  if (folder === undefined) return { name: 'generated-1400', ...makePassages(1400), emptyRows: 0 };
  const rows = readRows(join(folder, 'corpus.jsonl'), corpusRow);
  const documents = rows
    .map(({ _id, title, text }) => ({ id: _id, title, text }))
    .filter(({ title, text }) => `${title}${text}`.trim() !== '');
  const questions = readRows(join(folder, 'queries.jsonl'), queryRow).map(({ _id, text }) => ({
    id: _id,
    text,
  }));
  return {
    name: folder.replace(/\/+$/, '').split('/').at(-1) ?? folder,
    ...{ documents, questions, emptyRows: rows.length - documents.length },
  };
}

function readRows<Row>(path: string, schema: z.ZodType<Row>): Row[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch {
    throw new UnreadableDataset(
      `${path} cannot be read; a dataset is a folder with corpus.jsonl and queries.jsonl`,
    );
  }
  return content
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => {
      try {
        return schema.parse(JSON.parse(line));
      } catch {
        throw new UnreadableDataset(`${path}:${number} is not a row of a BEIR dataset`);
      }
    });
}
