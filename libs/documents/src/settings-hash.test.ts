import { describe, expect, it } from 'vitest';
import { chunkSettings, settingsHash } from './settings-hash.ts';

const configured = { strategy: 'structure', maxTokens: 256, overlapTokens: 32 } as const;
const silent = { chunkingStrategy: null, chunkSize: null, chunkOverlap: null };

describe('what a document is chunked by', () => {
  it.each([
    ['the configuration, where nobody says anything', {}, null, configured],
    ['the configuration, where the collection says nothing', {}, silent, configured],
    ['the collection, in what it says', {}, { ...silent, chunkSize: 64 }, { ...configured, maxTokens: 64 }],
    [
      'the request, whatever the collection says',
      { strategy: 'fixed', maxTokens: 128, overlapTokens: 0 } as const,
      { chunkingStrategy: 'sentence', chunkSize: 64, chunkOverlap: 8 } as const,
      { strategy: 'fixed', maxTokens: 128, overlapTokens: 0 },
    ],
  ])('%s', (_, asked, collection, settings) => {
    expect(chunkSettings(asked, collection, configured, 512)).toEqual({ settings, notes: [] });
  });

  it('is clamped to what the encoder takes, and told to whoever asked for more', () => {
    const large = { ...silent, chunkSize: 1000 };
    expect(chunkSettings({}, large, configured, 512)).toMatchObject({
      settings: { maxTokens: 512 },
      notes: [],
    });
    const asked = chunkSettings({ maxTokens: 1000, overlapTokens: 400 }, null, configured, 512);
    expect(asked.settings).toMatchObject({ maxTokens: 512, overlapTokens: 256 });
    expect(asked.notes).toEqual([
      'chunk_size was clamped from 1000 to 512 tokens, the most the encoder takes',
      'chunk_overlap was clamped from 400 to 256 tokens, half a chunk',
    ]);
  });
});

it('the hash of the settings is that of their values, in whatever order metadata name them', () => {
  const shaping = {
    mediaType: 'text/plain',
    title: null,
    metadata: { a: 1, b: { c: 2, d: 3 } },
    chunking: configured,
  };
  const hash = settingsHash(shaping);
  expect(settingsHash({ ...shaping, metadata: { b: { d: 3, c: 2 }, a: 1 } })).toBe(hash);
  expect(settingsHash({ ...shaping, metadata: { a: 1, b: { c: 2, d: 4 } } })).not.toBe(hash);
  expect(settingsHash({ ...shaping, title: '' })).not.toBe(hash);
  expect(settingsHash({ ...shaping, chunking: { ...configured, maxTokens: 255 } })).not.toBe(hash);
});
