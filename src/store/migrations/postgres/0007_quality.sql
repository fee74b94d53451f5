-- What was found of facts on their way in, and which language a review is in.

-- A bit a rule: see the domain's list. Nothing was looked for before this.
ALTER TABLE review
    ADD COLUMN flags bigint NOT NULL DEFAULT 0,
    ADD COLUMN language text COLLATE "C",
    ADD COLUMN language_confidence double precision,
    -- Equal for equal words: finds a text that its customer posts again. Nothing for older reviews.
    ADD COLUMN words_hash bigint;
ALTER TABLE event ADD COLUMN flags bigint NOT NULL DEFAULT 0;
ALTER TABLE purchase ADD COLUMN flags bigint NOT NULL DEFAULT 0;
ALTER TABLE refund ADD COLUMN flags bigint NOT NULL DEFAULT 0;
CREATE INDEX review_flagged ON review (workspace_id, seq) WHERE flags <> 0;
CREATE INDEX event_flagged ON event (workspace_id, id) WHERE flags <> 0;
CREATE INDEX purchase_flagged ON purchase (workspace_id, seq) WHERE flags <> 0;
CREATE INDEX refund_flagged ON refund (workspace_id, seq) WHERE flags <> 0;
CREATE INDEX review_by_language ON review (workspace_id, language, seq) WHERE language IS NOT NULL;
CREATE INDEX review_by_words ON review (customer_id, words_hash) WHERE words_hash IS NOT NULL;

-- What came in, by day of arrival (since 1970) and by import; written with the facts. It counts what came, so it stays when a fact
-- is replaced or erased.
CREATE TABLE quality_count (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    day bigint NOT NULL,
    -- The job's id; all zeros for what came by a call.
    import uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (workspace_id, day, import, kind, rule, outcome)
);
