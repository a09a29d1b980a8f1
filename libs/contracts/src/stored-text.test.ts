import { describe, expect, it } from 'vitest';
import { queryRequest, searchRequest } from './http.ts';
import { documentRequest } from './http-documents.ts';
import { createKeyRequest } from './http-keys.ts';
import { createWebhookRequest } from './http-webhooks.ts';
import { documentFields } from './ingest/1-document.ts';
import { metadataFilter } from './metadata-filter.ts';
import { encodeInput } from './query/1-encode.ts';

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

describe('what nobody sees', () => {
  const carrier = `\u200b\u{e0041}\u202e\u2060`;

  it('is left out of all that is stored and shown', () => {
    const body = documentRequest.parse({
      text: 'x',
      title: `${carrier}Ti${carrier}tle `,
      external_id: `a${carrier}.md`,
      metadata: { [`k${carrier}`]: [`v${carrier}`, { c: `می‌خواهم${carrier}` }] },
    });
    expect(body).toMatchObject({
      title: 'Title',
      external_id: 'a.md',
      metadata: { k: ['v', { c: 'می‌خواهم' }] },
    });
    expect(documentFields.parse({ document_id: `a${carrier}`, content: 'x', title: carrier })).toMatchObject({
      document_id: 'a',
      title: '',
    });
    expect(createKeyRequest.parse({ name: `k${carrier}`, scopes: ['query'] }).name).toBe('k');
    expect(metadataFilter.parse({ field: `k${carrier}`, op: 'in', value: [`v${carrier}`] })).toEqual({
      ...{ field: 'k', op: 'in', value: ['v'] },
    });
  });

  it('makes no name and no title', () => {
    expect(problemsOf({ external_id: carrier, title: ` ${carrier} ` })).toEqual(['title', 'external_id']);
  });

  it('is left out of a question, however it comes, and is none', () => {
    expect(queryRequest.parse({ query: ` Two${carrier} years? می‌خواهم ${carrier} ` }).query).toBe(
      'Two years? می‌خواهم',
    );
    expect(encodeInput.parse({ id: 'q1', query: `Two${carrier}` }).query).toBe('Two');
    expect(
      searchRequest.safeParse({ query: `${carrier}\u3164 \u00ad\u00ad` }).error?.issues[0]?.path,
    ).toEqual(['query']);
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
