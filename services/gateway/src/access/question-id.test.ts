import { expect, it } from 'vitest';
import { createQuestionIds } from './question-id.ts';

const ids = createQuestionIds(Buffer.alloc(32, 1));

it('says whose a question is, to whoever has the pepper', () => {
  const id = ids.make('shop');
  expect(id).toMatch(/^qry_[0-9A-Za-z]{22}$/);
  expect(ids.isOf('shop', id)).toBe(true);
  for (const other of ['default', 'sho', 'shop2']) expect(ids.isOf(other, id)).toBe(false);
  expect(createQuestionIds(Buffer.alloc(32, 2)).isOf('shop', id)).toBe(false);
  expect(ids.isOf('shop', ids.make('shop', 'aud'))).toBe(true);
});

it('is the default tenant’s when it was made by hand', () => {
  for (const id of ['q1', 'qry_1', 'my-job']) {
    expect(ids.isOf('default', id)).toBe(true);
    expect(ids.isOf('shop', id)).toBe(false);
  }
});

it('differs each time', () => {
  expect(new Set(Array.from({ length: 1000 }, () => ids.make('shop'))).size).toBe(1000);
});
