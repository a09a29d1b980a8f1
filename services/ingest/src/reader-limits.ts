import type { ServiceConfig } from '@vortex/config';
import { StageFailure } from '@vortex/contracts';
import type { ParseLimits } from '@vortex/documents';

/** Settings of the section `ingest`: `parser_memory_mb`, `parser_timeout_ms`, `max_…`. */
export interface ReaderLimits extends ParseLimits {
  memoryMegabytes: number;
  timeoutMs: number;
}

/** What one document may take, as the configuration names it. */
export function readerLimits(settings: ServiceConfig<'ingest'>['ingest']): ReaderLimits {
  return {
    memoryMegabytes: settings.parser_memory_mb,
    timeoutMs: settings.parser_timeout_ms,
    maxPages: settings.max_pages,
    maxTextCharacters: settings.max_text_characters,
    maxExpandedBytes: settings.max_expanded_bytes,
    maxArchiveEntries: settings.max_archive_entries,
  };
}

export function memoryPassed({ memoryMegabytes }: ReaderLimits): StageFailure {
  return new StageFailure(
    'parse_limits_exceeded',
    `reading the document takes more than ${memoryMegabytes} MB of memory (ingest.parser_memory_mb). Split it, or raise that setting.`,
  );
}

export function timePassed(timeoutMs: number): StageFailure {
  return new StageFailure(
    'parse_limits_exceeded',
    `reading the document takes longer than ${timeoutMs} ms (ingest.parser_timeout_ms). Split it, or raise that setting.`,
  );
}
