-- What customers are grouped by, beside what they say. Nothing where texts alone count, as in every row from before.
ALTER TABLE segmentation ADD COLUMN inputs TEXT;
ALTER TABLE segmentation ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'kmeans';
ALTER TABLE version ADD COLUMN inputs TEXT;
ALTER TABLE version ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'kmeans';
-- The space that a version's customers lie in, and how a segment differs in it.
ALTER TABLE version ADD COLUMN joined TEXT;
ALTER TABLE segment ADD COLUMN portrait TEXT;
