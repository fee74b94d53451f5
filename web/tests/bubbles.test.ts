import { expect, it } from "vitest";
import { box, HEIGHT, layOut, WIDTH, wrap, type Spot } from "../src/bubbles";

/** Repeatable numbers from 0 to 1. */
function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function spots(n: number, seed: number): Spot[] {
  const random = stream(seed);
  return Array.from({ length: n }, (_, i) => ({ id: `s${i}`, label: i % 2 ? "安静的夜晚与睡眠" : "Quiet sleepers", share: (2 * random()) / n, x: random() * 2 - 1, y: random() * 2 - 1 }));
}

it("every bubble and its name stay on the map, whatever the input", () => {
  for (let seed = 0; seed < 40; seed++) {
    for (const bubble of layOut(spots(2 + (seed % 19), seed))) {
      const { left, right, top, bottom } = box(bubble);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(WIDTH);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(bottom).toBeLessThanOrEqual(HEIGHT);
    }
  }
});

it("few segments never cover each other, even from one place", () => {
  const heaped = spots(5, 3).map((spot, i) => ({ ...spot, x: i / 100, y: 0 }));
  const bubbles = layOut(heaped);
  bubbles.forEach((a, i) => {
    for (const b of bubbles.slice(i + 1)) expect(Math.hypot(a.cx - b.cx, a.cy - b.cy)).toBeGreaterThan(a.r + b.r - 1);
  });
});

it("area goes by share", () => {
  const [large, small] = layOut([
    { id: "s1", label: "a", share: 0.2, x: -0.5, y: 0 },
    { id: "s2", label: "b", share: 0.05, x: 0.5, y: 0 },
  ]);
  expect((large?.r ?? 0) / (small?.r ?? 1)).toBeCloseTo(2, 5);
});

it("numbers that are none do not break the map", () => {
  const [bubble] = layOut([{ id: "s1", label: "", share: Number.NaN, x: Number.NaN, y: 7 }]);
  expect(Number.isFinite(bubble?.cx) && Number.isFinite(bubble?.cy) && Number.isFinite(bubble?.r)).toBe(true);
});

it("names break between words, and anywhere in Chinese, and end with an ellipsis when too long", () => {
  expect(wrap("Quiet sleepers", 60)).toEqual(["Quiet", "sleepers"]);
  expect(wrap("安静的夜晚", 40)).toEqual(["安静的", "夜晚"]);
  expect(wrap("one two three four five six", 30, 2)).toEqual(["one", "two…"]);
  expect(wrap("", 30)).toEqual([]);
});
