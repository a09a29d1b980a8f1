import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParsedText, type ParseLimits, parseDocument, sniffDocument } from '../src/index.ts';

export const usualLimits: ParseLimits = {
  maxPages: 20_000,
  maxTextCharacters: 64 * 1024 * 1024,
  maxExpandedBytes: 64 * 1024 * 1024,
  maxArchiveEntries: 20_000,
};

/** Sniffed and parsed, as gateway and reader do one after the other. */
export async function readFileAs(
  bytes: Uint8Array | string,
  filename: string,
  limits: Partial<ParseLimits> = {},
): Promise<ParsedText> {
  const folder = await mkdtemp(join(tmpdir(), 'vortex-parse-'));
  try {
    const file = join(folder, 'original');
    await writeFile(file, bytes);
    const { mediaType } = await sniffDocument({ file, filename });
    return await parseDocument({
      file,
      mediaType,
      limits: { ...usualLimits, ...limits },
      onProgress: () => {},
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The code and message it is refused with; a text when it was read. */
export async function refusal(
  bytes: Uint8Array | string,
  filename: string,
  limits: Partial<ParseLimits> = {},
): Promise<string> {
  try {
    const { text } = await readFileAs(bytes, filename, limits);
    return `read: ${text.slice(0, 200)}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return `${error.code}: ${error.message}`;
    throw error;
  }
}
