import { describe, expect, it } from "vitest";
import { Pager } from "../src/paging";
import type { Page } from "../src/types";

function listOf(length: number, size: number): { fetch: (cursor: string | null) => Promise<Page<number>>; asked: (string | null)[] } {
  const asked: (string | null)[] = [];
  const fetch = (cursor: string | null): Promise<Page<number>> => {
    asked.push(cursor);
    const from = Number(cursor ?? 0);
    const to = Math.min(from + size, length);
    return Promise.resolve({ data: Array.from({ length: to - from }, (_, i) => from + i), next_cursor: to < length ? String(to) : null, has_more: to < length });
  };
  return { fetch, asked };
}

async function drain(pager: Pager<number>): Promise<number[]> {
  while (pager.hasMore) await pager.next();
  return pager.items;
}

describe("every item comes once and in order", () => {
  it.each([0, 1, 49, 50, 51, 100, 137])("%d items", async (length) => {
    const { fetch } = listOf(length, 50);
    expect(await drain(new Pager(fetch))).toEqual(Array.from({ length }, (_, i) => i));
  });
});

it("asks for nothing after the end", async () => {
  const { fetch, asked } = listOf(10, 50);
  const pager = new Pager(fetch);
  await pager.next();
  expect(await pager.next()).toBeNull();
  expect(asked).toEqual([null]);
});

it("two presses at once ask once", async () => {
  const { fetch, asked } = listOf(120, 50);
  const pager = new Pager(fetch);
  await Promise.all([pager.next(), pager.next()]);
  expect(asked).toEqual([null]);
  expect(pager.items).toHaveLength(50);
});

it("a failed page may be asked for again, and nothing is doubled", async () => {
  const { fetch } = listOf(60, 50);
  let calls = 0;
  const pager = new Pager((cursor) => (++calls === 2 ? Promise.reject(new Error("gone")) : fetch(cursor)));
  await pager.next();
  await expect(pager.next()).rejects.toThrow("gone");
  await pager.next();
  expect(pager.items).toHaveLength(60);
  expect(pager.hasMore).toBe(false);
});

it("a cursor that comes back ends the list instead of paging for ever", async () => {
  const pager = new Pager<number>(() => Promise.resolve({ data: [1], next_cursor: "same", has_more: true }));
  expect(await drain(pager)).toEqual([1, 1]);
});

it("more without a cursor is an end", async () => {
  const pager = new Pager<number>(() => Promise.resolve({ data: [1], has_more: true }));
  expect(await drain(pager)).toEqual([1]);
});
