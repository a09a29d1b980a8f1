import { expect, it } from 'vitest';
import { rowId } from './row-id.ts';

const scope = { tenant: 'default', collection: 'handbook' };
const row = { document_id: 'doc_1', version: 2, ordinal: 3 };

it('is a UUID that never changes between releases: it is the key of what users have stored', () => {
  expect(rowId(scope, row)).toBe('e8939fbd-e5d3-8f81-a4e8-6a4304aef122');
});

it('differs in every part, also where parts run together', () => {
  const ids = [
    rowId(scope, row),
    rowId({ tenant: 'defaulth', collection: 'andbook' }, row),
    rowId({ ...scope, tenant: 'other' }, row),
    rowId(scope, { ...row, document_id: 'doc_12', version: 3 }),
    rowId(scope, { ...row, document_id: 'doc_1', version: 23 }),
    rowId(scope, { ...row, version: 3 }),
    rowId(scope, { ...row, ordinal: 4 }),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
