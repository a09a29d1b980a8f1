import { describe, expect, it } from 'vitest';
import { documentRequest } from './http-documents.ts';
import { createWebhookRequest } from './http-webhooks.ts';
import { documentFields } from './ingest/1-document.ts';

const nested = (levels: number): Record<string, unknown> => {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < levels; level += 1) value = { a: value };
  return value;
};
const problemsOf = (body: object) =>
  documentRequest.safeParse({ text: 'x', ...body }).error?.issues.map(({ path }) => path.join('/')) ?? [];

describe('metadata', () => {
  it('nests sixteen levels, lists counted, and no deeper', () => {
    expect(problemsOf({ metadata: nested(16) })).toEqual([]);
    expect(problemsOf({ metadata: { a: [nested(14)] } })).toEqual([]);
    expect(problemsOf({ metadata: nested(17) })).toEqual(['metadata']);
    expect(problemsOf({ metadata: { a: [nested(15)] } })).toEqual(['metadata']);
    // 200,000: JSON.stringify, which measures it, has no stack for that.
    expect(problemsOf({ metadata: nested(200_000) })).toEqual(['metadata']);
  });

  it('and a title are kept as Unicode without U+0000', () => {
    const body = documentRequest.parse({
      text: 'x',
      title: ' a\ud83d ',
      metadata: { 'k\udc00': ['\0b', { c: '\ud83d\ude00' }, 1, null] },
    });
    expect(body).toMatchObject({
      title: 'a\ufffd',
      metadata: { 'k\ufffd': ['\ufffdb', { c: '\ud83d\ude00' }, 1, null] },
    });
  });
});

describe('a document’s name', () => {
  it.each(['a\ud83d', '\udc00', 'a\0b'])('is refused, not changed: %j', (name) => {
    expect(problemsOf({ external_id: name })).toEqual(['external_id']);
    expect(documentFields.safeParse({ document_id: name, content: 'x' }).success).toBe(false);
  });

  it('may have every whole character', () => {
    expect(documentRequest.parse({ text: 'x', external_id: 'a 😀/é\t' }).external_id).toBe('a 😀/é\t');
  });
});

describe('a webhook', () => {
  it.each([
    'https://a.example/x y',
    'https://a.example/\r\nHost: b',
    ' https://a.example/',
    'https://a.example/\0',
    'https://a.example/\t',
    'https://a.example/\ud83d',
  ])('is not sent to %j', (url) => {
    expect(createWebhookRequest.safeParse({ url }).success).toBe(false);
  });

  it('keeps its description as Unicode', () => {
    const { description } = createWebhookRequest.parse({ url: 'https://a.example/', description: 'p\ud83d' });
    expect(description).toBe('p\ufffd');
  });
});
