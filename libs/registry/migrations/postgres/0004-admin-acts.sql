-- What administrators did, and whoever removed something: who, what, when. Rows are only added, and leave by age.
CREATE TABLE admin_acts (
  id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
  tenant     TEXT   NOT NULL,
  -- Null: nobody had to show a key.
  key_id     TEXT,
  -- Method and route template.
  act        TEXT   NOT NULL,
  -- The path that was asked for, or that of what was made.
  target     TEXT   NOT NULL,
  status     INTEGER NOT NULL,
  request_id TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE INDEX admin_acts_of_tenant ON admin_acts (tenant, created_at, id);
CREATE INDEX admin_acts_by_age ON admin_acts (created_at);
