import type { Registry } from '../registry.ts';
import { acceptanceOf } from './acceptance.ts';
import { adminActsOf } from './admin-acts.ts';
import { keysOf } from './api-keys.ts';
import { collectionsOf } from './collections.ts';
import { collectionDeletionOf } from './delete-collection.ts';
import { documentsOf } from './documents.ts';
import { jobsOf } from './jobs.ts';
import { staleOf } from './stale.ts';
import type { SqlSession } from './steps.ts';
import { uploadTurnsOf } from './upload-turns.ts';
import { versionsOf } from './versions.ts';
import { webhooksOf } from './webhooks.ts';

/** All of the port but `close`, over whichever database runs the statements. */
export function registryOf(session: SqlSession): Omit<Registry, 'close'> {
  return {
    ...collectionsOf(session),
    ...collectionDeletionOf(session),
    ...documentsOf(session),
    ...acceptanceOf(session),
    ...versionsOf(session),
    ...staleOf(session),
    ...jobsOf(session),
    ...uploadTurnsOf(session),
    ...webhooksOf(session),
    ...keysOf(session),
    ...adminActsOf(session),
    changeCounter: session.changeCounter,
  };
}
