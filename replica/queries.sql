-- make_bookkeeping --
-- Tables of the mirror's own: written in the transaction of each publication, so that they always match the rows.
CREATE SCHEMA IF NOT EXISTS lake.knudepunkt;
CREATE TABLE IF NOT EXISTS lake.knudepunkt.runs (
    run VARCHAR, source VARCHAR, dataset VARCHAR, mode VARCHAR, started TIMESTAMP, finished TIMESTAMP,
    content_sha256 VARCHAR, cursor VARCHAR, as_of TIMESTAMP,
    lines_in BIGINT, lines_quarantined BIGINT, rows_in BIGINT, rows_quarantined BIGINT,
    inserted BIGINT, updated BIGINT, deleted BIGINT, unchanged BIGINT,
    changed BOOLEAN, snapshot BIGINT, rows BIGINT
);
CREATE TABLE IF NOT EXISTS lake.knudepunkt.quarantine (
    register VARCHAR, dataset VARCHAR, run VARCHAR, source VARCHAR, file VARCHAR, line BIGINT,
    rule VARCHAR, reason VARCHAR, text VARCHAR, frame VARCHAR, "at" TIMESTAMP
);
ALTER TABLE lake.knudepunkt.quarantine ADD COLUMN IF NOT EXISTS frame VARCHAR;

-- One row per applied version of a contract; the newest is what the tables follow. files: JSON, name -> text.
CREATE TABLE IF NOT EXISTS lake.knudepunkt.contracts (
    register VARCHAR, version VARCHAR, applied TIMESTAMP, files VARCHAR
);

-- insert_contract --
INSERT INTO lake.knudepunkt.contracts VALUES ($register, $version, $applied, $files);

-- contracts --
-- What is applied: the newest of each register.
SELECT register, last(version ORDER BY applied) AS version, max(applied) AS applied,
       last(files ORDER BY applied) AS files
  FROM lake.knudepunkt.contracts
 GROUP BY register;

-- mark_evolution --
-- The dataset's rows as they were, in a snapshot that has the new columns.
INSERT INTO lake.knudepunkt.runs BY NAME
SELECT * REPLACE ($run AS run, 'contract.apply' AS source, $at AS started, $at AS finished,
                  '' AS content_sha256, '{}' AS cursor, 0 AS lines_in, 0 AS lines_quarantined, 0 AS rows_in,
                  0 AS rows_quarantined, 0 AS inserted, 0 AS updated, 0 AS deleted, 0 AS unchanged, true AS changed,
                  $snapshot AS snapshot)
  FROM lake.knudepunkt.runs
 WHERE dataset = $dataset
 ORDER BY finished DESC, run DESC
 LIMIT 1;

-- insert_run --
INSERT INTO lake.knudepunkt.runs VALUES (
    $run, $source, $dataset, $mode, $started, $finished, $content_sha256, $cursor, $as_of,
    $lines_in, $lines_quarantined, $rows_in, $rows_quarantined,
    $inserted, $updated, $deleted, $unchanged, $changed, $snapshot, $rows
);

-- insert_quarantine --
-- `held` is the delivery's quarantine, registered as an Arrow table.
INSERT INTO lake.knudepunkt.quarantine BY NAME
SELECT * REPLACE ("at"::TIMESTAMP AS "at") FROM held;

-- settle_quarantine --
DELETE FROM lake.knudepunkt.quarantine WHERE run = $run;

-- runs --
-- Past runs, newest first; of one source, or of all where $source is null.
SELECT * FROM lake.knudepunkt.runs
 WHERE ($source IS NULL OR source = $source) AND ($dataset IS NULL OR dataset = $dataset)
 ORDER BY finished DESC, run DESC
 LIMIT $limit;

-- last_runs --
-- The last run of each source.
SELECT * FROM lake.knudepunkt.runs
QUALIFY row_number() OVER (PARTITION BY source ORDER BY finished DESC, run DESC) = 1;

-- info --
-- A dataset's last change and the last time its source was heard.
SELECT last(snapshot ORDER BY finished, run) FILTER (WHERE changed) AS snapshot,
       last(finished ORDER BY finished, run) FILTER (WHERE changed) AS published,
       last(as_of ORDER BY finished, run) AS as_of,
       last(rows ORDER BY finished, run) AS rows
  FROM lake.knudepunkt.runs
 WHERE dataset = $dataset;

-- infos --
-- As `info`, of every dataset.
SELECT dataset,
       last(snapshot ORDER BY finished, run) FILTER (WHERE changed) AS snapshot,
       last(finished ORDER BY finished, run) FILTER (WHERE changed) AS published,
       last(as_of ORDER BY finished, run) AS as_of,
       last(rows ORDER BY finished, run) AS rows
  FROM lake.knudepunkt.runs
 GROUP BY dataset;

-- info_at --
-- A dataset as it was at a time or in a snapshot; the other of the two is null.
SELECT last(snapshot ORDER BY finished, run) FILTER (WHERE changed) AS snapshot,
       last(finished ORDER BY finished, run) FILTER (WHERE changed) AS published,
       last(as_of ORDER BY finished, run) AS as_of,
       last(rows ORDER BY finished, run) AS rows
  FROM lake.knudepunkt.runs
 WHERE dataset = $dataset AND ($time IS NULL OR finished <= $time) AND ($snapshot IS NULL OR snapshot <= $snapshot);

-- first_from --
-- The first publication of a dataset at or after a time or a snapshot (the other of the two is null), and whether there
-- was one before.
SELECT min(snapshot) FILTER (at_or_after) AS snapshot, coalesce(bool_or(NOT at_or_after), false) AS earlier
  FROM (SELECT snapshot, CASE WHEN $time IS NULL THEN snapshot >= $snapshot ELSE finished >= $time END AS at_or_after
          FROM lake.knudepunkt.runs WHERE changed AND dataset = $dataset);

-- corrections --
-- Publications of a span that went back to an earlier state.
SELECT DISTINCT snapshot FROM lake.knudepunkt.runs
 WHERE changed AND source = $rollback AND dataset = $dataset AND snapshot > $since AND snapshot <= $until
 ORDER BY snapshot;

-- rows_changed --
-- How many rows the publications of a span changed: at least as many as differ between its ends.
SELECT coalesce(sum(inserted + updated + deleted), 0)::BIGINT AS rows FROM lake.knudepunkt.runs
 WHERE changed AND dataset = $dataset AND snapshot > $since AND snapshot <= $until;

-- kept --
-- Whether a snapshot can still be read.
SELECT count(*) AS kept FROM lake.snapshots() WHERE snapshot_id = $snapshot;

-- made --
-- Whether the mirror has come as far as a snapshot: 0 for one that nobody has made yet.
SELECT count(*) AS made FROM lake.snapshots() WHERE snapshot_id >= $snapshot;

-- quarantined --
SELECT register, dataset, run, source, file, line, rule, reason, text, coalesce(frame, '') AS frame, "at" FROM lake.knudepunkt.quarantine
 WHERE register = $register AND dataset = $dataset AND ($run IS NULL OR run = $run)
 ORDER BY "at", file, line;

-- exists --
SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = $register AND table_name = $name;

-- snapshot --
SELECT max(id) FROM lake.current_snapshot();

-- quarantine_over --
SELECT count(*) FROM lake.knudepunkt.quarantine WHERE "at" < $before;

-- forget_quarantine --
DELETE FROM lake.knudepunkt.quarantine WHERE "at" < $before;

-- expirable --
-- Snapshots made before a time, but for those that a dataset's history needs from that time on: the publication that
-- was in force then, and all later ones.
WITH publications AS (
    SELECT dataset, snapshot, max(finished) AS finished
      FROM lake.knudepunkt.runs WHERE changed GROUP BY dataset, snapshot
),
needed AS (
    SELECT snapshot FROM publications WHERE finished >= $before
     UNION SELECT max(snapshot) FROM publications WHERE finished < $before GROUP BY dataset
)
SELECT snapshot_id FROM lake.snapshots()
 WHERE snapshot_time::TIMESTAMP < $before
   AND snapshot_id < (SELECT max(id) FROM lake.current_snapshot())
   AND snapshot_id NOT IN (SELECT snapshot FROM needed)
 ORDER BY snapshot_id;

-- expire --
SELECT snapshot_id FROM ducklake_expire_snapshots('lake', versions => $snapshots);

-- snapshot_count --
SELECT count(*) FROM lake.snapshots();

-- rewrite --
SELECT files_processed, files_created FROM ducklake_rewrite_data_files('lake', delete_threshold => $limit);

-- merge --
SELECT files_processed, files_created FROM ducklake_merge_adjacent_files('lake', max_file_size => $limit);

-- old_files --
SELECT * FROM ducklake_cleanup_old_files('lake', dry_run => true, cleanup_all => true);

-- remove_old_files --
CALL ducklake_cleanup_old_files('lake', cleanup_all => true);

-- orphans --
SELECT * FROM ducklake_delete_orphaned_files('lake', dry_run => true, cleanup_all => true);

-- remove_orphans --
CALL ducklake_delete_orphaned_files('lake', cleanup_all => true);

-- feed --
-- Where a change feed begins; null when a publication that it needs is not kept: one after $since, or the one that
-- was in force then.
WITH mine AS (
    SELECT DISTINCT snapshot FROM lake.knudepunkt.runs WHERE changed AND dataset = $dataset AND snapshot <= $until
),
needed AS (
    SELECT snapshot FROM mine WHERE snapshot >= coalesce((SELECT max(snapshot) FROM mine WHERE snapshot <= $since), 0)
),
there AS (SELECT snapshot_id FROM lake.snapshots())
SELECT min(snapshot_id) AS first
  FROM there
 WHERE snapshot_id > $since
   AND NOT EXISTS (SELECT 1 FROM needed WHERE snapshot NOT IN (FROM there))
   AND $until IN (FROM there);
