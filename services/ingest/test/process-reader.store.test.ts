import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StageFailure } from '@vortex/contracts';
import type { Piece } from '@vortex/documents';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DocumentReader, ReadProgress, ReadRequest } from '../src/document-reader.ts';
import { createProcessReader, type ProcessReaderOptions } from '../src/process-reader.ts';
import { readPieces } from '../src/read-pieces.ts';
import type { ReaderLimits } from '../src/reader-limits.ts';
import { writeTinyTokenizer } from './tiny-tokenizer.ts';

// One piece: every test has the same reader with real children, which are dear to start.

const never = new AbortController().signal;
const silent = { signal: never, onProgress: () => {} };
const limits: ReaderLimits = {
  memoryMegabytes: 512,
  timeoutMs: 60_000,
  maxPages: 100,
  maxTextCharacters: 64 * 1024 * 1024,
  maxExpandedBytes: 64 * 1024 * 1024,
  maxArchiveEntries: 1000,
};

let folder: string;
let readers: DocumentReader[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vortex-reader-'));
  readers = [];
  await writeTinyTokenizer(folder);
});
afterEach(async () => {
  await Promise.all(readers.map((reader) => reader.close()));
  await rm(folder, { recursive: true });
});

function readerWith(
  options: Partial<Pick<ProcessReaderOptions, 'processes' | 'quickMs' | 'patienceMs' | 'idleMs'>> & {
    limits?: Partial<ReaderLimits>;
  } = {},
) {
  const reader = createProcessReader({
    model: 'all-minilm-l6-v2',
    modelsDir: folder,
    processes: 1,
    ...options,
    limits: { ...limits, ...options.limits },
  });
  readers.push(reader);
  return reader;
}

let requests = 0;
async function requestFor(text: string | Uint8Array, mediaType = 'text/plain'): Promise<ReadRequest> {
  requests += 1;
  const name = String(requests);
  const file = join(folder, `original-${name}`);
  await writeFile(file, text);
  return {
    file,
    mediaType,
    filename: null,
    title: null,
    chunking: { strategy: 'structure', maxTokens: 40, overlapTokens: 0 },
    outDir: join(folder, 'spool', name, '1'),
  };
}

async function piecesOf(file: string, from?: number): Promise<Piece[]> {
  const pieces = [];
  for await (const piece of readPieces(file, from)) pieces.push(piece);
  return pieces;
}

const hasChild = () => process.getActiveResourcesInfo().includes('ProcessWrap');

describe('reading in a process of its own', () => {
  it('leaves text and pieces in files that agree with each other', async () => {
    const request = await requestFor(
      '# The queue\n\nIt holds jobs. 👩‍🚀 é\u2028x\n\n'.repeat(300),
      'text/markdown',
    );
    const seen: ReadProgress[] = [];
    const read = await readerWith().read(request, {
      signal: never,
      onProgress: (progress) => seen.push(progress),
    });
    const bytes = await readFile(read.textFile);
    const text = bytes.toString('utf8');
    expect(read.textHash).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(read).toMatchObject({ characters: text.length, pages: null, title: 'The queue' });
    const pieces = await piecesOf(read.piecesFile);
    expect(pieces.length).toBe(read.pieces);
    expect(pieces.reduce((sum, piece) => sum + piece.tokens, 0)).toBe(read.tokens);
    for (const [ordinal, piece] of pieces.entries()) {
      expect(piece.ordinal).toBe(ordinal);
      expect(text.slice(...piece.source_span)).toBe(piece.text);
    }
    expect(await piecesOf(read.piecesFile, 290)).toEqual(pieces.slice(290));
    expect(await piecesOf(read.piecesFile, read.pieces)).toEqual([]);
    expect(seen.length).toBeGreaterThan(0);
    for (const { done, total } of seen) expect(done).toBeLessThanOrEqual(total ?? done);
    expect((await readdir(request.outDir)).sort()).toEqual(['pieces.ndjson', 'result.json', 'text.txt']);
  });

  it('gives a short document back as it would have written it, and writes nothing', async () => {
    const request = await requestFor(
      '# The queue\n\nIt holds jobs. 👩‍🚀 é\u2028x\n\n'.repeat(20),
      'text/markdown',
    );
    const { textBytes, allPieces, ...facts } = await readerWith().readShort(request, silent);
    await expect(readdir(request.outDir)).rejects.toThrow(/no such file/);
    const { textFile, piecesFile, ...written } = await readerWith().read(request, silent);
    expect(facts).toEqual(written);
    expect(Buffer.from(textBytes)).toEqual(await readFile(textFile));
    expect(allPieces).toEqual(await piecesOf(piecesFile));
    const missing = { ...request, file: `${request.file}-gone` };
    await expect(readerWith().readShort(missing, silent)).rejects.toThrow(/no such file/);
  });

  it('answers a second read from the first, and reads anew for other settings', async () => {
    const request = await requestFor('The queue holds jobs. '.repeat(50));
    const first = await readerWith().read(request, silent);
    await rm(request.file);
    const other = createProcessReader({ model: 'none', modelsDir: folder, processes: 1, limits });
    readers.push(other);
    expect(await other.read(request, silent)).toEqual(first);
    await expect(
      readerWith().read({ ...request, chunking: { ...request.chunking, maxTokens: 20 } }, silent),
    ).rejects.toThrow(/no such file/);
  });

  it('a read that was cut short is done again', async () => {
    const request = await requestFor('The queue holds jobs. '.repeat(50));
    const reader = readerWith();
    const first = await reader.read(request, silent);
    const whole = await readFile(first.piecesFile);
    await rm(join(request.outDir, 'result.json'));
    await writeFile(first.piecesFile, whole.subarray(0, 100));
    await expect(piecesOf(first.piecesFile)).rejects.toThrow(/ends inside piece 0/);
    expect(await reader.read(request, silent)).toEqual(first);
    expect(await readFile(first.piecesFile)).toEqual(whole);
  });

  it('several documents at once, each its own, in as many processes as it may have', async () => {
    const reader = readerWith({ processes: 2 });
    const texts = Array.from({ length: 6 }, (_, index) =>
      `The queue holds jobs ${index}. `.repeat(20 + index),
    );
    const all = await Promise.all(texts.map(async (text) => reader.read(await requestFor(text), silent)));
    for (const [index, { textFile }] of all.entries())
      expect(await readFile(textFile, 'utf8')).toBe(texts[index]);
  });

  it('a refused document is a StageFailure with its code, and the process goes on', async () => {
    const reader = readerWith();
    const refused: [string, string | Uint8Array, string][] = [
      ['empty_document', ' \n', 'text/plain'],
      ['corrupt_file', '%PDF-1.7 nothing', 'application/pdf'],
      ['unsupported_type', 'x', 'image/png'],
      ['parse_limits_exceeded', '['.repeat(5000), 'application/json'],
    ];
    for (const [code, content, mediaType] of refused) {
      const failure = await reader.read(await requestFor(content, mediaType), silent).catch((error) => error);
      expect(failure).toBeInstanceOf(StageFailure);
      expect(failure).toMatchObject({ code, mayRetry: false });
    }
    expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
  });
});

describe('a document that is too much', () => {
  it('of memory ends its process, and the next one is read', async () => {
    const reader = readerWith({ limits: { memoryMegabytes: 160 } });
    const cells = `<tr>${'<td>cell</td>'.repeat(20)}</tr>`.repeat(100_000);
    const greedy = await requestFor(`<table>${cells}</table>`, 'text/html');
    const failure = await reader.read(greedy, silent).catch((error) => error);
    expect(failure).toMatchObject({ code: 'parse_limits_exceeded' });
    expect(failure.message).toMatch(/160 MB.*ingest\.parser_memory_mb/);
    expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
  });

  it('of time ends its process', async () => {
    const reader = readerWith({ limits: { timeoutMs: 2000 } });
    const failure = await reader
      .read(await requestFor('qz7xk'.repeat(4_000_000)), silent)
      .catch((error) => error);
    expect(failure).toMatchObject({ code: 'parse_limits_exceeded' });
    expect(failure.message).toMatch(/2000 ms.*ingest\.parser_timeout_ms/);
    expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
  });
});

describe('a document that takes long', () => {
  it('keeps no small one waiting, be there two of them', async () => {
    const reader = readerWith({ processes: 3, quickMs: 50, patienceMs: 50 });
    const controller = new AbortController();
    const answered: string[] = [];
    const spinning = [0, 1].map(async () => {
      const begun = Promise.withResolvers<void>();
      const read = reader
        .read(await requestFor(spinningPdf(), 'application/pdf'), {
          signal: controller.signal,
          onProgress: () => begun.resolve(),
        })
        .catch((error: Error) => {
          answered.push(error.name);
        });
      await begun.promise;
      return { read };
    });
    const reads = await Promise.all(spinning);
    for (let round = 0; round < 3; round += 1) {
      expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
    }
    expect(answered).toEqual([]);
    controller.abort();
    await Promise.all(reads.map(({ read }) => read));
    expect(answered).toEqual(['AbortError', 'AbortError']);
  });

  it('is sent away while many of its like wait, and keeps no small one waiting', async () => {
    const reader = readerWith({ processes: 3, quickMs: 100, patienceMs: 50 });
    const controller = new AbortController();
    const spinning = await requestFor(spinningPdf(), 'application/pdf');
    const ends: string[] = [];
    const reads = Array.from({ length: 12 }, async (_, number) => {
      // As many originals, each asked for once.
      const file = `${spinning.file}-${number}`;
      await copyFile(spinning.file, file);
      const request = { ...spinning, file, outDir: `${spinning.outDir}-${number}` };
      const again = () => reader.read(request, { signal: controller.signal, onProgress: () => undefined });
      await again().catch((error: Error) => ends.push(error.name));
      return again;
    });
    const small = await requestFor('A sentence.');
    expect(await reader.readShort(small, silent)).toMatchObject({ pieces: 1 });
    // One is read in the slow lane, four wait there; two may still be in the quick one, where nobody wants their place.
    await until('the others are sent away', () => ends.length >= 5);
    expect(new Set(ends)).toEqual(new Set(['ReaderBusy']));
    const sentAway = await Promise.race(reads);
    await expect(sentAway()).rejects.toMatchObject({ name: 'ReaderBusy' });
    expect(await reader.readShort(small, silent)).toMatchObject({ pieces: 1 });
    controller.abort();
    await Promise.all(reads);
  });

  it('waits for its like, has all its time again in the slow lane, and is answered as ever', async () => {
    const reader = readerWith({ quickMs: 0, patienceMs: 0 });
    const seen: ReadProgress['stage'][] = [];
    const text = 'The queue holds jobs. '.repeat(60_000);
    const honest = await requestFor(text);
    const chunking = Promise.withResolvers<void>();
    const long = reader.read(honest, {
      signal: never,
      onProgress: ({ stage }) => {
        if (seen.at(-1) !== stage) seen.push(stage);
        if (stage === 'chunk') chunking.resolve();
      },
    });
    await chunking.promise;
    const other = reader.read(await requestFor('A sentence.'), silent);
    expect(await other).toMatchObject({ pieces: 1 });
    expect(seen).toContain('wait');
    const read = await long;
    expect(seen.slice(seen.indexOf('wait'))).toEqual(['wait', 'parse', 'chunk']);
    expect(await readFile(read.textFile, 'utf8')).toBe(text);
    expect((await piecesOf(read.piecesFile)).length).toBe(read.pieces);
  });

  it('is left where it is when nobody waits', async () => {
    const reader = readerWith({ quickMs: 0 });
    const seen = new Set<string>();
    await reader.read(await requestFor('The queue holds jobs. '.repeat(20_000)), {
      signal: never,
      onProgress: ({ stage }) => seen.add(stage),
    });
    expect([...seen]).toEqual(['parse', 'chunk']);
  });

  it('passes the limit of time in the slow lane too', async () => {
    const reader = readerWith({ quickMs: 0, patienceMs: 0, limits: { timeoutMs: 3000 } });
    const stages: string[] = [];
    const begun = Promise.withResolvers<void>();
    const spinning = reader
      .read(await requestFor(spinningPdf(), 'application/pdf'), {
        signal: never,
        onProgress: ({ stage }) => {
          stages.push(stage);
          begun.resolve();
        },
      })
      .catch((error) => error);
    await begun.promise;
    expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
    expect(await spinning).toMatchObject({ code: 'parse_limits_exceeded' });
    expect(stages).toContain('wait');
  });
});

describe('processes come and go', () => {
  it('an abandoned document ends its process at once, and the next one is read by a new one', async () => {
    const reader = readerWith();
    await reader.warmUp();
    const controller = new AbortController();
    const request = await requestFor('qz7xk'.repeat(2_000_000));
    const chunking = Promise.withResolvers<void>();
    const endless = reader.read(request, {
      signal: controller.signal,
      onProgress: ({ stage }) => stage === 'chunk' && chunking.resolve(),
    });
    const next = reader.read(await requestFor('A sentence.'), silent);
    await chunking.promise;
    controller.abort();
    await expect(endless).rejects.toMatchObject({ name: 'AbortError' });
    const written = await stat(join(request.outDir, 'pieces.ndjson'));
    expect(await next).toMatchObject({ pieces: 1 });
    expect((await stat(join(request.outDir, 'pieces.ndjson'))).size).toBe(written.size);
    expect(await readdir(request.outDir)).not.toContain('result.json');
  });

  it('a document given up while it waits is never begun', async () => {
    const reader = readerWith();
    const controller = new AbortController();
    const first = reader.read(await requestFor('The queue holds jobs. '.repeat(2000)), silent);
    const waiting = await requestFor('A sentence.');
    const second = reader.read(waiting, { ...silent, signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    await first;
    await expect(readdir(waiting.outDir)).rejects.toThrow(/no such file/);
  });

  it('a crash is an error that another attempt may cure', async () => {
    const reader = readerWith();
    await reader.warmUp();
    const request = await requestFor('qz7xk'.repeat(2_000_000));
    const killed = reader.read(request, {
      signal: never,
      onProgress: ({ stage }) => {
        if (stage === 'chunk') for (const pid of childrenOf()) process.kill(pid, 'SIGKILL');
      },
    });
    const failure = await killed.catch((error) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(StageFailure);
    expect(await reader.read(await requestFor('A sentence.'), silent)).toMatchObject({ pieces: 1 });
  });

  it('an idle process is given up and comes back when needed', async () => {
    const reader = readerWith({ idleMs: 0 });
    for (let round = 0; round < 3; round += 1) {
      const read = reader.read(await requestFor('A sentence.'), silent);
      await until('a process works', hasChild);
      expect(await read).toMatchObject({ pieces: 1 });
      await until('the process has ended', () => !hasChild());
    }
  });

  it('says what is missing when the model is not there', async () => {
    const lost = createProcessReader({
      model: 'all-minilm-l6-v2',
      modelsDir: join(folder, 'nowhere'),
      processes: 1,
      limits,
    });
    await expect(lost.warmUp()).rejects.toThrow(/no such file.*tokenizer/);
    await lost.close();
    await expect(lost.read(await requestFor('text'), silent)).rejects.toThrow(/closed/);
  });
});

/** The processes this one has started, as the system knows them. */
function childrenOf(): number[] {
  const handles = (
    process as unknown as { _getActiveHandles(): { pid?: number; connected?: boolean }[] }
  )._getActiveHandles();
  return handles.flatMap(({ pid, connected }) => (pid !== undefined && connected === true ? [pid] : []));
}

/** Forms that each show the next one ten times, thirty deep: four kilobytes that no parser comes to the end of. */
function spinningPdf(): Buffer {
  const depth = 30;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Count 1 /Kids [3 0 R] >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>',
    '<< /Length 5 >>\nstream\n/F Do\nendstream',
  ];
  for (let level = 0; level < depth; level += 1) {
    // The last one shows a letter: what shows nothing is not looked at twice.
    const content = level === depth - 1 ? 'BT /T 9 Tf (x) Tj ET' : '/F Do '.repeat(10);
    const next = 5 + Math.min(level + 1, depth - 1);
    const resources = `/Resources << /Font << /T ${5 + depth} 0 R >> /XObject << /F ${next} 0 R >> >>`;
    objects.push(
      `<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] ${resources} /Length ${content.length} >>\nstream\n${content}\nendstream`,
    );
  }
  objects.push('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>');
  // Without a table of where objects are: a reader finds them by looking through the file.
  const body = objects.map((object, at) => `${at + 1} 0 obj\n${object}\nendobj\n`).join('');
  return Buffer.from(`%PDF-1.4\n${body}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\n%%EOF\n`);
}
