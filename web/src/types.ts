// What the API answers, as the console reads it. A number that cannot be computed arrives as null.

export type Maybe = number | null;

export interface Page<T> {
  data: T[];
  next_cursor?: string | null;
  has_more?: boolean;
}

export interface Workspace {
  workspace: string;
  customers: number;
  reviews: number;
  events: number;
}

export interface Definition {
  model: string;
  k: "auto" | number;
  seed: number;
}

export interface Segmentation {
  name: string;
  definition: Definition;
  created_at: string;
  live_version: number | null;
}

export interface Candidate {
  k: number;
  silhouette: Maybe;
  stability: Maybe;
  largest_share: Maybe;
  score: Maybe;
  rejected: string | null;
}

export interface Quality {
  silhouette: Maybe;
  davies_bouldin: Maybe;
  calinski_harabasz: Maybe;
  largest_share: Maybe;
  stability: Maybe;
  inertia: Maybe;
  k: number;
  candidates: Candidate[];
}

export interface TypicalReview {
  review_id: string;
  customer_id: string;
  text: string;
  similarity: number;
}

export interface Difference {
  feature: string;
  name_en: string;
  unit: string;
  effect: Maybe;
  low: Maybe;
  high: Maybe;
  segment: Maybe;
  everyone: Maybe;
}

/** How a segment differs from everyone in what people do and are. */
export interface Portrait {
  sentence_en: string;
  differences: Difference[];
  rule: { text_en: string; precision: Maybe; recall: Maybe } | null;
}

export interface Segment {
  id: string;
  name: string;
  keywords: { term: string; score: number }[];
  typical_reviews: TypicalReview[];
  size: number;
  share: number;
  cohesion: Maybe;
  stability: Maybe;
  /** Both from -1 to 1; absent in versions that were fitted without a map. */
  map?: { x: number; y: number } | null;
  /** Absent where texts alone count. */
  portrait?: Portrait | null;
}

export interface Version {
  segmentation: string;
  version: number;
  state: "candidate" | "live" | "retired";
  created_at: string;
  definition: Definition;
  model_fingerprint: string;
  n_customers: number;
  n_reviews: number;
  quality: Quality;
  segments: Segment[];
}

export interface SegmentAnswer {
  segmentation: string;
  version: number;
  segment: Segment;
}

export interface RunnerUp {
  segment_id: string;
  segment: string;
  confidence: Maybe;
}

export interface Placement {
  segment_id: string;
  segment: string;
  confidence: Maybe;
  runner_up: RunnerUp | null;
}

export interface Member extends Placement {
  customer_id: string;
  since: string;
  reason: string;
}

export interface MembersPage extends Page<Member> {
  segmentation: string;
  version: number;
}

export interface CustomerMembership extends Placement {
  segmentation: string;
  version: number;
  since: string;
  reason: string;
}

export interface CustomerReview {
  review_id: string;
  text: string;
  item_id: string | null;
  rating: number | null;
  time: string;
}

export interface Customer {
  customer_id: string;
  traits: Record<string, unknown>;
  created_at: string;
  n_reviews: number;
  n_events: number;
  reviews: CustomerReview[];
}

export interface Assigned extends Placement {
  similarities: { segment_id: string; segment: string; similarity: number }[];
  truncated: boolean;
}

export interface AssignAnswer {
  segmentation: string;
  version: number;
  model: string;
  data: Assigned[];
}

export type JobState = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface Job {
  id: string;
  kind: string;
  state: JobState;
  progress: { phase: string; done: number; total: number | null };
  result: unknown;
  error: { code: string; detail: string } | null;
  created_at: string;
  finished_at: string | null;
}
