// The address after `#` and the pages it stands for.

export type Route =
  | { page: "overview"; segmentation: string | null }
  | { page: "segment"; segmentation: string; segment: string }
  | { page: "customer"; customer: string | null }
  | { page: "try"; segmentation: string | null }
  | { page: "jobs" }
  | { page: "unknown"; path: string };

export function parse(hash: string): Route {
  const path = hash.replace(/^#\/?/, "");
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const [head, first, second] = parts;
  if (head === undefined) return { page: "overview", segmentation: null };
  if (head === "s" && first !== undefined && parts.length <= 3) {
    return second === undefined
      ? { page: "overview", segmentation: first }
      : { page: "segment", segmentation: first, segment: second };
  }
  if (head === "customers" && parts.length <= 2) return { page: "customer", customer: first ?? null };
  if (head === "try" && parts.length <= 2) return { page: "try", segmentation: first ?? null };
  if (head === "jobs" && parts.length === 1) return { page: "jobs" };
  return { page: "unknown", path };
}

/** The address of a page; each part is encoded, so an id with a slash or a hash stays one part. */
export function address(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
