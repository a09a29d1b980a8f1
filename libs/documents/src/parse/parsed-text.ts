import { StageFailure } from '@vortex/contracts';
import type { TextMediaType } from '../outline.ts';

/** What every parser makes of a file: one text that is stored, cut and cited, and where its pages start in it. */
export interface ParsedText {
  text: string;
  /** How the text is to be cut. */
  mediaType: TextMediaType;
  /** Page i (from 0) reaches from its start (UTF-16 offset) to the next one's; null where the format has no pages. */
  pages: { start: number }[] | null;
  /** The document's own title; null when it has none. */
  title: string | null;
}

/** What one document may take. Each is a setting of the section `ingest`. */
export interface ParseLimits {
  maxPages: number;
  maxTextCharacters: number;
  maxExpandedBytes: number;
  maxArchiveEntries: number;
}

export type ParseProgress = (done: number, total: number | null, unit: 'bytes' | 'pages' | 'entries') => void;

export interface ParseRequest {
  file: string;
  limits: ParseLimits;
  onProgress: ParseProgress;
}

const settingOf = {
  maxPages: { setting: 'ingest.max_pages', unit: 'pages' },
  maxTextCharacters: { setting: 'ingest.max_text_characters', unit: 'characters of text' },
  maxExpandedBytes: { setting: 'ingest.max_expanded_bytes', unit: 'unpacked bytes' },
  maxArchiveEntries: { setting: 'ingest.max_archive_entries', unit: 'archive entries' },
} as const satisfies Record<keyof ParseLimits, { setting: string; unit: string }>;

/** @throws StageFailure `parse_limits_exceeded`, naming the limit, when `value` is above it. */
export function assertWithin(limits: ParseLimits, limit: keyof ParseLimits, value: number): void {
  if (value <= limits[limit]) return;
  const { setting, unit } = settingOf[limit];
  throw new StageFailure(
    'parse_limits_exceeded',
    `the document has more than ${limits[limit]} ${unit} (${setting}). Split it, or raise that setting.`,
  );
}

/** Elements, objects or arrays within each other: no document needs more, and parsers recurse. */
export const maxNesting = 1000;

export function nestedTooDeep(what: string): StageFailure {
  return new StageFailure(
    'parse_limits_exceeded',
    `${what} are nested more than ${maxNesting} levels deep; no setting allows more. Simplify the document.`,
  );
}

export function corrupt(reason: string, cause?: unknown): StageFailure {
  return new StageFailure(
    'corrupt_file',
    `${reason}. Open it in the program that made it, save it anew and upload that.`,
    { cause },
  );
}
