import type { ServiceConfig } from '@vortex/config';
import type { ReaderLimits } from './process-reader.ts';

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
