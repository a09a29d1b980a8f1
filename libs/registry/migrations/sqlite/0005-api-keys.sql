-- Keys of callers. The secret itself is nowhere: what stands here are keyed hashes, and what they are keyed with (the
-- pepper) is kept outside of this database. Rows stay when a key is revoked: that there was one keeps the door shut.
CREATE TABLE api_keys (
  id             TEXT    NOT NULL PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  name           TEXT,
  -- JSON lists; null: all collections of the tenant.
  scopes         TEXT    NOT NULL CHECK (json_valid(scopes)),
  collections    TEXT    CHECK (json_valid(collections)),
  -- A JSON object; null: none.
  limits         TEXT    CHECK (json_valid(limits)),
  secret_hash    TEXT    NOT NULL,
  -- Of the secret before the last rotation, and until when it holds.
  previous_hash  TEXT,
  previous_until INTEGER,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER,
  rotated_at     INTEGER,
  revoked_at     INTEGER,
  last_used_at   INTEGER
) STRICT;

CREATE INDEX api_keys_of_tenant ON api_keys (tenant, created_at, id);
