// The one way to the API: same origin, JSON, the visitor's key when there is one, and every failure as a `Problem`.

import type { Page } from "./types";

const KEY = "clientele.key";

export interface ProblemItem {
  pointer?: string;
  code?: string;
  detail?: string;
}

/** A failed call in words that can be shown: the service's own problem+json, or ours when it gave none. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly requestId: string | null = null,
    readonly items: ProblemItem[] = [],
  ) {
    super(`${title}: ${detail}`);
    this.name = "Problem";
  }

  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem(0, "The console stumbled", String(error), "console_error");
  }
}

export const key = {
  read: (): string | null => sessionStorage.getItem(KEY),
  keep: (value: string): void => sessionStorage.setItem(KEY, value),
  forget: (): void => sessionStorage.removeItem(KEY),
};

/** A path below `/v1` with each part encoded: `path("customers", id, "segments")`. */
export function path(...parts: string[]): string {
  return ["/v1", ...parts.map(encodeURIComponent)].join("/");
}

export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? path : `${path}?${text}`;
}

export async function get<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await call(path, { signal })).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown, signal: AbortSignal): Promise<T> {
  const init = { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal };
  return (await call(path, init)).json() as Promise<T>;
}

export async function blob(path: string, signal: AbortSignal): Promise<Blob> {
  return (await call(path, { signal, headers: { Accept: "text/csv" } })).blob();
}

/** Every item of a list, page by page, up to `limit`. */
export async function list<T>(path: string, signal: AbortSignal, limit = 1000): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await get<Page<T>>(withQuery(path, { cursor }), signal);
    items.push(...page.data);
    cursor = page.has_more ? (page.next_cursor ?? null) : null;
  } while (cursor !== null && items.length < limit);
  return items;
}

async function call(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const secret = key.read();
  if (!headers.has("Accept")) headers.set("Accept", "application/json");
  if (secret !== null) headers.set("Authorization", `Bearer ${secret}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    const detail = "It may be stopped or restarting, or the network is down. Try again in a moment.";
    throw new Problem(0, "The service does not answer", detail, "unreachable");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (name: string): string | null => (typeof body[name] === "string" ? body[name] : null);
  return new Problem(
    response.status,
    text("title") ?? `The service answered ${response.status}`,
    text("detail") ?? "It gave no further reason.",
    text("code") ?? `http_${response.status}`,
    text("request_id") ?? response.headers.get("Request-Id"),
    Array.isArray(body["errors"]) ? (body["errors"] as ProblemItem[]) : [],
  );
}
