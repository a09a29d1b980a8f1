import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { VortexClient } from '@vortex/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDemoDocuments, sendDemoDocuments, titleOf } from './demo-documents.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-demo-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

describe('readDemoDocuments', () => {
  it('takes the documentation and nothing else', () => {
    put('README.md', '# Vortex\n');
    put('docs/decisions/0001-x.md', 'no heading');
    put('libs/queue/README.md', '# The `queue`  \n');
    put('libs/queue/node_modules/other/README.md', '# no');
    put('services/gateway/src/notes.md', '# no');
    put('docs/empty.md', ' \n');
    expect(readDemoDocuments(folder).map(({ path, title }) => [path, title])).toEqual([
      ['README.md', 'Vortex'],
      ['docs/decisions/0001-x.md', 'docs/decisions/0001-x.md'],
      ['libs/queue/README.md', 'The queue'],
    ]);
  });

  it('finds a title where there is one', () => {
    expect(titleOf('text\n\n# Title #\n')).toBe('Title');
    expect(titleOf('## Only a section\n')).toBeNull();
  });
});

describe('sendDemoDocuments', () => {
  const send = async (fails: string[] = [], place = 'lancedb all-minilm') => {
    const sent: string[] = [];
    const client = {
      ingest: async ({ document_id }: { document_id: string }) => {
        sent.push(document_id);
        return { job_id: document_id };
      },
      waitForJob: async (id: string) =>
        fails.includes(id) ? { status: 'failed', error: 'no room' } : { status: 'completed' },
    } as unknown as VortexClient;
    const result = await sendDemoDocuments({
      client,
      documents: readDemoDocuments(folder),
      recordFile: join(folder, 'run', 'record.json'),
      place,
      onProgress: () => {},
    });
    return { sent, result };
  };

  it('sends what changed, what failed before, and all of it to another place', async () => {
    put('README.md', '# One');
    put('docs/two.md', '# Two');
    expect((await send(['docs/two.md'])).result).toEqual({
      sent: 1,
      unchanged: 0,
      failed: [{ path: 'docs/two.md', reason: 'no room' }],
    });
    expect((await send()).sent).toEqual(['docs/two.md']);
    expect((await send()).sent).toEqual([]);
    put('README.md', '# One, changed');
    expect((await send()).sent).toEqual(['README.md']);
    expect((await send([], 'http://qdrant all-minilm')).sent).toEqual(['README.md', 'docs/two.md']);
  });
});
