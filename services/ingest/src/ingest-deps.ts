import type { TextStore } from '@vortex/documents';
import type { Metrics } from '@vortex/observability';
import type { Registry } from '@vortex/registry';
import type { Chunker } from './process-chunker.ts';
import type { GroupSender } from './send-groups.ts';

/** What the ingest stage works with; main.ts makes it. */
export interface IngestDeps {
  registry: Pick<
    Registry,
    | 'ensureCollection'
    | 'beginVersion'
    | 'versionState'
    | 'storedGroups'
    | 'noteStoredGroup'
    | 'publishVersion'
    | 'failVersion'
  >;
  texts: TextStore;
  chunker: Chunker;
  groups: GroupSender;
  /** The encoder's model: what it takes at most, and what the collection must have been built with. */
  model: { fingerprint: string; dimension: number; maxTokens: number };
  settings: { chunkSize: number; chunkOverlap: number; groupSize: number };
  metrics: Metrics;
}
