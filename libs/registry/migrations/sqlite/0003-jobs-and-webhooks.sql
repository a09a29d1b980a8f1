-- Documents come in as jobs (docs/decisions/0008-jobs-and-outbox-in-the-registry.md): what a version is built from,
-- jobs and their events, idempotency keys, webhooks and their outbox.

ALTER TABLE collections ADD COLUMN chunking_strategy TEXT;
-- Hidden while its rows leave the store; the name is free when the row is gone.
ALTER TABLE collections ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleting'));

ALTER TABLE documents ADD COLUMN filename TEXT;
ALTER TABLE documents ADD COLUMN pages INTEGER;
-- Title, file name and external id in lower case, by the rules of all languages and not of the database's: what `q` is looked for in.
ALTER TABLE documents ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
UPDATE documents SET search_text = vortex_lower_case(title || char(10) || COALESCE(external_id, ''));

ALTER TABLE versions ADD COLUMN filename TEXT;
-- 0: the title is the external id until parsing finds the document's own.
ALTER TABLE versions ADD COLUMN title_given INTEGER NOT NULL DEFAULT 1;
-- The original in the originals' store; null for versions of before originals were kept.
ALTER TABLE versions ADD COLUMN original_hash TEXT;
ALTER TABLE versions ADD COLUMN text_hash TEXT;
ALTER TABLE versions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN pages INTEGER;
ALTER TABLE versions ADD COLUMN chunks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
-- 1: nothing of it is stored any more; the row stays so that its job can be run again from the original.
ALTER TABLE versions ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
UPDATE versions SET (text_hash, bytes, chunks, tokens) =
    (SELECT d.text_hash, d.bytes, d.chunks, d.tokens FROM documents d WHERE d.id = versions.document_id)
  WHERE state = 'visible';

CREATE INDEX versions_by_original ON versions (original_hash) WHERE original_hash IS NOT NULL;
CREATE INDEX versions_by_text ON versions (text_hash) WHERE text_hash IS NOT NULL;

CREATE TABLE jobs (
  id               TEXT    NOT NULL PRIMARY KEY,
  tenant           TEXT    NOT NULL,
  type             TEXT    NOT NULL,
  status           TEXT    NOT NULL CHECK (status IN ('queued', 'processing', 'retrying', 'completed', 'failed', 'cancelled')),
  stage            TEXT,
  progress         REAL    NOT NULL DEFAULT 0,
  message          TEXT,
  eta_ms           INTEGER,
  payload          TEXT    NOT NULL CHECK (json_valid(payload)),
  result           TEXT    CHECK (json_valid(result)),
  error            TEXT,
  error_code       TEXT,
  retry_count      INTEGER NOT NULL DEFAULT 0,
  max_retries      INTEGER NOT NULL,
  deliveries       INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  collection       TEXT    NOT NULL,
  -- No foreign key: a job outlives its document by up to 30 days.
  document_id      TEXT    NOT NULL,
  external_id      TEXT    NOT NULL,
  version          INTEGER NOT NULL,
  webhook_url      TEXT,
  traceparent      TEXT,
  -- 1: came into being with this job, and goes with it when the acceptance is taken back.
  made_document    INTEGER NOT NULL DEFAULT 0,
  made_collection  INTEGER NOT NULL DEFAULT 0,
  -- Number of the newest row in `job_events`.
  last_event       INTEGER NOT NULL DEFAULT 0,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  started_at       INTEGER,
  -- Null as long as the job is open.
  completed_at     INTEGER
) STRICT;

CREATE INDEX jobs_newest ON jobs (tenant, created_at, id);
CREATE INDEX jobs_of_document ON jobs (document_id);
CREATE INDEX jobs_open ON jobs (updated_at) WHERE completed_at IS NULL;
CREATE INDEX jobs_ended ON jobs (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE job_events (
  job_id     TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sequence   INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  status     TEXT    NOT NULL,
  stage      TEXT,
  progress   REAL    NOT NULL,
  message    TEXT,
  eta_ms     INTEGER,
  error      TEXT,
  error_code TEXT,
  PRIMARY KEY (job_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  tenant          TEXT    NOT NULL,
  idempotency_key TEXT    NOT NULL,
  request_hash    TEXT    NOT NULL,
  response        TEXT    NOT NULL CHECK (json_valid(response)),
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (tenant, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_oldest ON idempotency_keys (created_at);

CREATE TABLE webhooks (
  id          TEXT    NOT NULL PRIMARY KEY,
  tenant      TEXT    NOT NULL,
  url         TEXT    NOT NULL,
  -- A JSON list of event types.
  events      TEXT    NOT NULL CHECK (json_valid(events)),
  secret      TEXT    NOT NULL,
  description TEXT,
  created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX webhooks_of_tenant ON webhooks (tenant, created_at, id);

-- Only events that somebody is to be told.
CREATE TABLE events (
  id         TEXT    NOT NULL PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  type       TEXT    NOT NULL,
  -- The body as it is sent: every attempt sends the same bytes.
  body       TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
  id              TEXT    NOT NULL PRIMARY KEY,
  tenant          TEXT    NOT NULL,
  event_id        TEXT    NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  -- Null: to the `webhook_url` of a job.
  webhook_id      TEXT,
  url             TEXT    NOT NULL,
  state           TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts        INTEGER NOT NULL DEFAULT 0,
  status_code     INTEGER,
  error           TEXT,
  -- While it is claimed: when the claim ends.
  next_attempt_at INTEGER,
  created_at      INTEGER NOT NULL,
  delivered_at    INTEGER
) STRICT;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_of_event ON deliveries (event_id);
CREATE INDEX deliveries_oldest ON deliveries (created_at);

CREATE TABLE watched_queries (
  job_id TEXT    NOT NULL PRIMARY KEY,
  tenant TEXT    NOT NULL,
  url    TEXT    NOT NULL,
  since  INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
