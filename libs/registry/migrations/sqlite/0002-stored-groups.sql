-- Groups of chunks that stand in the vector store, of versions still being built: a run that takes over
-- from a dead one stores only what is missing. The rows go when the version is published or given up.

CREATE TABLE stored_groups (
  document_id   TEXT    NOT NULL,
  version       INTEGER NOT NULL,
  first_ordinal INTEGER NOT NULL,
  chunks        INTEGER NOT NULL,
  PRIMARY KEY (document_id, version, first_ordinal),
  FOREIGN KEY (document_id, version) REFERENCES versions (document_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
