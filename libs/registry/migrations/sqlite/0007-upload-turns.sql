-- Tenants take turns with documents (docs/decisions/0028-documents-take-turns.md): of each tenant only a window of open
-- jobs has its ids on the queue's list, the others wait here.
--   coming    accepted; its original is being placed, or its light way in has not ended: nobody releases it
--   waiting   may be released
--   released  its id belongs on the list or in a worker's hands, and counts in its tenant's window
--   aside     its id is with Redis for later (a retry, a busy reader), or was before there were windows: not counted
ALTER TABLE jobs ADD COLUMN turn TEXT NOT NULL DEFAULT 'aside' CHECK (turn IN ('coming', 'waiting', 'released', 'aside'));

-- What waits here is no business of the sweeper's search for ids that the queue has lost.
DROP INDEX jobs_open;
CREATE INDEX jobs_queued ON jobs (updated_at) WHERE completed_at IS NULL AND turn <> 'waiting';
CREATE INDEX jobs_waiting ON jobs (tenant, created_at, id)
  WHERE completed_at IS NULL AND cancel_requested = 0 AND turn = 'waiting';
CREATE INDEX jobs_released ON jobs (tenant) WHERE completed_at IS NULL AND cancel_requested = 0 AND turn = 'released';

-- Who has brought a document lately: for him a place is kept free.
CREATE TABLE upload_tenants (
  tenant  TEXT NOT NULL PRIMARY KEY,
  seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX upload_tenants_seen ON upload_tenants (seen_at);

-- The workers whose places are shared, as each says of itself.
CREATE TABLE upload_workers (
  name    TEXT NOT NULL PRIMARY KEY,
  slots   INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;
