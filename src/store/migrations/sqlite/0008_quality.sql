-- What was found of facts on their way in, and which language a review is in.

-- A bit a rule: see the domain's list. Nothing was looked for before this.
ALTER TABLE review ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE purchase ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refund ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
CREATE INDEX review_flagged ON review (workspace_id) WHERE flags <> 0;
CREATE INDEX event_flagged ON event (workspace_id) WHERE flags <> 0;
CREATE INDEX purchase_flagged ON purchase (workspace_id) WHERE flags <> 0;
CREATE INDEX refund_flagged ON refund (workspace_id) WHERE flags <> 0;

ALTER TABLE review ADD COLUMN language TEXT;
ALTER TABLE review ADD COLUMN language_confidence REAL;
-- Equal for equal words: finds a text that its customer posts again. Nothing for older reviews.
ALTER TABLE review ADD COLUMN words_hash INTEGER;
CREATE INDEX review_by_language ON review (workspace_id, language) WHERE language IS NOT NULL;
CREATE INDEX review_by_words ON review (customer_id, words_hash) WHERE words_hash IS NOT NULL;

-- What came in, by day of arrival (since 1970) and by import; written with the facts. It counts what came, so it stays when a fact
-- is replaced or erased.
CREATE TABLE quality_count (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    day INTEGER NOT NULL,
    -- The job's id; all zeros for what came by a call.
    import BLOB NOT NULL,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, day, import, kind, rule, outcome)
) STRICT, WITHOUT ROWID;
