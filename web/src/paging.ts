// Cursor paging without surprises: one page at a time, no page twice, an end that is an end.

import type { Page } from "./types";

export type Fetch<P> = (cursor: string | null) => Promise<P>;

export class Pager<T, P extends Page<T> = Page<T>> {
  readonly items: T[] = [];
  private cursor: string | null = null;
  private seen = new Set<string>();
  private ended = false;
  private inFlight: Promise<P | null> | null = null;

  constructor(private readonly fetch: Fetch<P>) {}

  get hasMore(): boolean {
    return !this.ended;
  }

  /** The next page, or null after the last one. Two calls at once get the same page; a failed call may be made again. */
  next(): Promise<P | null> {
    if (this.ended) return Promise.resolve(null);
    this.inFlight ??= this.load().finally(() => {
      this.inFlight = null;
    });
    return this.inFlight;
  }

  private async load(): Promise<P> {
    const page = await this.fetch(this.cursor);
    this.items.push(...page.data);
    const next = page.has_more ? (page.next_cursor ?? null) : null;
    // A cursor that comes back would page for ever.
    this.ended = next === null || this.seen.has(next);
    if (next !== null) this.seen.add(next);
    this.cursor = next;
    return page;
  }
}
