-- Deliveries of which the document was read to its end, since the last stored group. A worker that dies after that was
-- hardly killed by the document; so many of its deaths, and no more, are taken back from `deliveries`.
ALTER TABLE jobs ADD COLUMN survived_reads INTEGER NOT NULL DEFAULT 0;
