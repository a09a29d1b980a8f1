-- The registry in PostgreSQL: the same tables as SQLite's after its migration 0003, table by table and column by column
-- (src/sql speaks to both). Times are epoch milliseconds. JSON is text: events are sent byte for byte as they were
-- written, and jsonb refuses U+0000. Ids and names sort by their bytes, as SQLite sorts them.

-- Moves with every transaction that changes what exists or what may be found; the sum is `changeCounter`. Several rows,
-- so that commits wait for each other only when they meet on one; a sequence would move before the change can be seen.
CREATE TABLE change_counter (
  slot  BIGINT NOT NULL PRIMARY KEY,
  moves BIGINT NOT NULL DEFAULT 0
);
INSERT INTO change_counter (slot) SELECT generate_series(0, 31);

CREATE TABLE collections (
  tenant            TEXT   NOT NULL,
  name              TEXT   COLLATE "C" NOT NULL,
  embedding_model   TEXT,
  dimension         BIGINT,
  relevance_floor   DOUBLE PRECISION,
  chunk_size        BIGINT,
  chunk_overlap     BIGINT,
  chunking_strategy TEXT,
  state             TEXT   NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleting')),
  revision          BIGINT NOT NULL DEFAULT 0,
  created_at        BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL,
  PRIMARY KEY (tenant, name),
  CHECK ((embedding_model IS NULL) = (dimension IS NULL))
);

CREATE TABLE documents (
  id              TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant          TEXT   NOT NULL,
  collection      TEXT   COLLATE "C" NOT NULL,
  external_id     TEXT,
  title           TEXT   NOT NULL,
  filename        TEXT,
  media_type      TEXT   NOT NULL,
  state           TEXT   NOT NULL CHECK (state IN ('pending', 'processing', 'ready', 'failed', 'deleting')),
  visible_version BIGINT NOT NULL DEFAULT 0,
  next_version    BIGINT NOT NULL DEFAULT 1,
  bytes           BIGINT NOT NULL DEFAULT 0,
  pages           BIGINT,
  chunks          BIGINT NOT NULL DEFAULT 0,
  tokens          BIGINT NOT NULL DEFAULT 0,
  content_hash    TEXT,
  text_hash       TEXT,
  metadata        TEXT   NOT NULL DEFAULT '{}',
  search_text     TEXT   NOT NULL DEFAULT '',
  last_error_code TEXT,
  last_error      TEXT,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  UNIQUE (tenant, collection, external_id),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, name)
);

CREATE INDEX documents_visible ON documents (tenant, collection, visible_version);
CREATE INDEX documents_newest ON documents (tenant, created_at, id);

CREATE TABLE versions (
  document_id   TEXT   COLLATE "C" NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  version       BIGINT NOT NULL,
  state         TEXT   NOT NULL CHECK (state IN ('building', 'visible', 'superseded', 'failed')),
  job_id        TEXT   COLLATE "C" NOT NULL,
  title         TEXT   NOT NULL,
  title_given   BIGINT NOT NULL DEFAULT 1,
  filename      TEXT,
  media_type    TEXT   NOT NULL,
  metadata      TEXT   NOT NULL DEFAULT '{}',
  content_hash  TEXT   NOT NULL,
  settings_hash TEXT   NOT NULL,
  original_hash TEXT,
  text_hash     TEXT,
  bytes         BIGINT NOT NULL DEFAULT 0,
  pages         BIGINT,
  chunks        BIGINT NOT NULL DEFAULT 0,
  tokens        BIGINT NOT NULL DEFAULT 0,
  purged        BIGINT NOT NULL DEFAULT 0,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (document_id, version)
);

CREATE INDEX versions_by_state ON versions (state, created_at);
CREATE INDEX versions_by_original ON versions (original_hash) WHERE original_hash IS NOT NULL;
CREATE INDEX versions_by_text ON versions (text_hash) WHERE text_hash IS NOT NULL;

CREATE TABLE stored_groups (
  document_id   TEXT   COLLATE "C" NOT NULL,
  version       BIGINT NOT NULL,
  first_ordinal BIGINT NOT NULL,
  chunks        BIGINT NOT NULL,
  PRIMARY KEY (document_id, version, first_ordinal),
  FOREIGN KEY (document_id, version) REFERENCES versions (document_id, version) ON DELETE CASCADE
);

CREATE TABLE jobs (
  id               TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant           TEXT   NOT NULL,
  type             TEXT   NOT NULL,
  status           TEXT   NOT NULL CHECK (status IN ('queued', 'processing', 'retrying', 'completed', 'failed', 'cancelled')),
  stage            TEXT,
  progress         DOUBLE PRECISION NOT NULL DEFAULT 0,
  message          TEXT,
  eta_ms           BIGINT,
  payload          TEXT   NOT NULL,
  result           TEXT,
  error            TEXT,
  error_code       TEXT,
  retry_count      BIGINT NOT NULL DEFAULT 0,
  max_retries      BIGINT NOT NULL,
  deliveries       BIGINT NOT NULL DEFAULT 0,
  cancel_requested BIGINT NOT NULL DEFAULT 0,
  collection       TEXT   COLLATE "C" NOT NULL,
  -- No foreign key: a job outlives its document by up to 30 days.
  document_id      TEXT   COLLATE "C" NOT NULL,
  external_id      TEXT   NOT NULL,
  version          BIGINT NOT NULL,
  webhook_url      TEXT,
  traceparent      TEXT,
  -- 1: came into being with this job, and goes with it when the acceptance is taken back.
  made_document    BIGINT NOT NULL DEFAULT 0,
  made_collection  BIGINT NOT NULL DEFAULT 0,
  -- Number of the newest row in `job_events`.
  last_event       BIGINT NOT NULL DEFAULT 0,
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL,
  started_at       BIGINT,
  -- Null as long as the job is open.
  completed_at     BIGINT
);

CREATE INDEX jobs_newest ON jobs (tenant, created_at, id);
CREATE INDEX jobs_of_document ON jobs (document_id);
CREATE INDEX jobs_open ON jobs (updated_at) WHERE completed_at IS NULL;
CREATE INDEX jobs_ended ON jobs (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE job_events (
  job_id     TEXT   COLLATE "C" NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sequence   BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  status     TEXT   NOT NULL,
  stage      TEXT,
  progress   DOUBLE PRECISION NOT NULL,
  message    TEXT,
  eta_ms     BIGINT,
  error      TEXT,
  error_code TEXT,
  PRIMARY KEY (job_id, sequence)
);

CREATE TABLE idempotency_keys (
  tenant          TEXT   NOT NULL,
  idempotency_key TEXT   NOT NULL,
  request_hash    TEXT   NOT NULL,
  response        TEXT   NOT NULL,
  created_at      BIGINT NOT NULL,
  PRIMARY KEY (tenant, idempotency_key)
);

CREATE INDEX idempotency_keys_oldest ON idempotency_keys (created_at);

CREATE TABLE webhooks (
  id          TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant      TEXT   NOT NULL,
  url         TEXT   NOT NULL,
  -- A JSON list of event types.
  events      TEXT   NOT NULL,
  secret      TEXT   NOT NULL,
  description TEXT,
  created_at  BIGINT NOT NULL
);

CREATE INDEX webhooks_of_tenant ON webhooks (tenant, created_at, id);

-- Only events that somebody is to be told.
CREATE TABLE events (
  id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant     TEXT   NOT NULL,
  type       TEXT   NOT NULL,
  -- The body as it is sent: every attempt sends the same bytes.
  body       TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE deliveries (
  id              TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant          TEXT   NOT NULL,
  event_id        TEXT   COLLATE "C" NOT NULL REFERENCES events (id) ON DELETE CASCADE,
  -- Null: to the `webhook_url` of a job.
  webhook_id      TEXT   COLLATE "C",
  url             TEXT   NOT NULL,
  state           TEXT   NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts        BIGINT NOT NULL DEFAULT 0,
  status_code     BIGINT,
  error           TEXT,
  -- While it is claimed: when the claim ends.
  next_attempt_at BIGINT,
  created_at      BIGINT NOT NULL,
  delivered_at    BIGINT
);

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, created_at, id);
CREATE INDEX deliveries_of_event ON deliveries (event_id);
CREATE INDEX deliveries_oldest ON deliveries (created_at);

CREATE TABLE watched_queries (
  job_id TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant TEXT   NOT NULL,
  url    TEXT   NOT NULL,
  since  BIGINT NOT NULL
);

CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
