-- Collections, documents and their versions (docs/decisions/0005-registry-and-versions.md).
-- Times are epoch milliseconds. STRICT: a number never lands in a text column by accident.

CREATE TABLE collections (
  tenant          TEXT    NOT NULL,
  name            TEXT    NOT NULL,
  -- Fingerprint of the model that made the vectors; null until the first group is stored.
  embedding_model TEXT,
  dimension       INTEGER,
  -- Null: the default of the configuration holds.
  relevance_floor REAL,
  chunk_size      INTEGER,
  chunk_overlap   INTEGER,
  -- Goes up whenever what a search may return, or how, has changed.
  revision        INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  PRIMARY KEY (tenant, name),
  CHECK ((embedding_model IS NULL) = (dimension IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
  id              TEXT    NOT NULL PRIMARY KEY,
  tenant          TEXT    NOT NULL,
  collection      TEXT    NOT NULL,
  -- The caller's id. Null once deletion has begun, so that the id is free for a new document at once.
  external_id     TEXT,
  title           TEXT    NOT NULL,
  media_type      TEXT    NOT NULL,
  state           TEXT    NOT NULL CHECK (state IN ('pending', 'processing', 'ready', 'failed', 'deleting')),
  -- 0: nothing of this document may be found. The row of this number in `versions` is the only visible one.
  visible_version INTEGER NOT NULL DEFAULT 0,
  next_version    INTEGER NOT NULL DEFAULT 1,
  -- Of the visible version: size and hashes of original and extracted text.
  bytes           INTEGER NOT NULL DEFAULT 0,
  chunks          INTEGER NOT NULL DEFAULT 0,
  tokens          INTEGER NOT NULL DEFAULT 0,
  content_hash    TEXT,
  text_hash       TEXT,
  metadata        TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
  last_error_code TEXT,
  last_error      TEXT,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  UNIQUE (tenant, collection, external_id),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, name)
) STRICT;

CREATE INDEX documents_visible ON documents (tenant, collection, visible_version);
CREATE INDEX documents_newest ON documents (tenant, created_at, id);

CREATE TABLE versions (
  document_id     TEXT    NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  version         INTEGER NOT NULL,
  state           TEXT    NOT NULL CHECK (state IN ('building', 'visible', 'superseded', 'failed')),
  -- The job that builds it. The same job delivered again finds its version by this.
  job_id          TEXT    NOT NULL,
  title           TEXT    NOT NULL,
  media_type      TEXT    NOT NULL,
  metadata        TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
  content_hash    TEXT    NOT NULL,
  settings_hash   TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (document_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX versions_by_state ON versions (state, created_at);
