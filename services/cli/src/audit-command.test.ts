import type { AuditReport } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { describeAudit } from './audit-command.ts';

const clean: AuditReport = {
  clean: true,
  collections: [
    { name: 'books', documents: 2, chunks: 8, stored_rows: 8, lexical_rows: 8, pending_purges: 0 },
  ],
  ...{ originals: 2, texts: 2, problems: [], problem_count: 0 },
};
const problem: AuditReport['problems'][number] = {
  ...{ kind: 'orphan_rows', collection: 'books', document_id: 'doc_1', version: 3 },
  ...{ detail: '4 rows of a version that nobody knows or shows', repaired: false },
};

describe('the report', () => {
  it('shows the figures of each collection, and that all is well', () => {
    const text = describeAudit(clean, false);
    expect(text).toMatch(/^books\s+2\s+8\s+8\s+8\s+0$/m);
    expect(text).toMatch(/^2 originals, 2 texts$/m);
    expect(text.endsWith('\n\nclean')).toBe(true);
  });

  it('lists what is wrong, why, and what to type', () => {
    const report = { ...clean, clean: false, problems: [problem], problem_count: 1200 };
    const text = describeAudit(report, false);
    expect(text).toMatch(/^orphan_rows\s+books\s+doc_1\s+3\s+open$/m);
    expect(text).toContain('orphan_rows: 4 rows of a version that nobody knows or shows');
    expect(text).toContain('and 1199 more');
    expect(text).toMatch(/not clean: 1200 .*audit --repair/);
  });

  it('tells what was mended from what could not be', () => {
    const mended = { ...problem, repaired: true };
    const done = describeAudit({ ...clean, problems: [mended], problem_count: 1 }, true);
    expect(done).toMatch(/mended$/m);
    expect(done).toContain('clean now: 1 mended');
    const left = { ...clean, clean: false, problems: [problem, mended], problem_count: 2 };
    expect(describeAudit(left, true)).toContain('could not be mended');
  });
});
