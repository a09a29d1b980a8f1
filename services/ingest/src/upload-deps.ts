import type { ContentStore } from '@vortex/documents';
import type { Metrics } from '@vortex/observability';
import type { LiveView } from '@vortex/queue';
import type { Registry } from '@vortex/registry';
import type { EncoderModel } from './assert-model.ts';
import type { DocumentReader, ReadPieces } from './document-reader.ts';
import type { GroupSender } from './send-groups.ts';
import type { Spool } from './spool.ts';

/** What the upload stage works with; main.ts makes it. */
export interface UploadDeps {
  registry: Pick<
    Registry,
    | 'getCollection'
    | 'getJob'
    | 'noteParsed'
    | 'noteProgress'
    | 'noteRead'
    | 'noteStoredGroup'
    | 'publishVersion'
    | 'storedGroups'
    | 'versionState'
  >;
  originals: Pick<ContentStore, 'has' | 'pathOf'>;
  texts: Pick<ContentStore, 'has' | 'adopt' | 'put'>;
  reader: Pick<DocumentReader, 'read' | 'readShort'>;
  readPieces: ReadPieces;
  spool: Spool;
  /** Plain documents of so many bytes at most are read in memory: short-document.ts. */
  shortBytes: number;
  groups: GroupSender;
  model: EncoderModel;
  liveView: Pick<LiveView, 'progress'>;
  jobs: { forget(id: string): void };
  /** How often a running job is touched, so that no sweeper takes it for lost. */
  touchMs: number;
  metrics: Metrics;
}
