import { describe, expect, it } from "vitest";
import { count, counted, decimal, duration, facts, moment, percent, plain, isUnstable, steadiness, words } from "../src/format";

describe("what is missing is a dash", () => {
  for (const bad of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(String(bad), () => {
      expect([count(bad), percent(bad), decimal(bad)]).toEqual(["–", "–", "–"]);
      expect(steadiness(bad)).toBe("not measured");
      expect(isUnstable(bad)).toBe(false);
    });
  }
});

describe("percent", () => {
  it.each([
    [0, "0%"],
    [0.00004, "<0.1%"],
    [0.0123, "1.2%"],
    [0.07, "7%"],
    [0.4567, "46%"],
    [0.996, "99.6%"],
    [0.99999, ">99.9%"],
    [1, "100%"],
  ])("writes %f as %s", (fraction, text) => expect(percent(fraction)).toBe(text));

  it("never rounds to everything or nothing", () => {
    for (let i = 1; i < 10_000; i++) {
      const text = percent(i / 10_000);
      expect(["0%", "100%"]).not.toContain(text);
    }
  });
});

it("counts with separators and the right plural", () => {
  expect(count(1234567)).toBe("1,234,567");
  expect([counted(1, "customer"), counted(0, "customer"), counted(2, "entry", "entries")]).toEqual(["1 customer", "0 customers", "2 entries"]);
});

it("writes a true minus and no negative zero", () => {
  expect([decimal(-0.126), decimal(-0.001), decimal(3.14159, 3)]).toEqual(["−0.13", "0.00", "3.142"]);
});

it("writes moments in the given zone and hands back what is none", () => {
  expect(moment("2026-03-01T22:30:00Z", "Asia/Shanghai")).toBe("2 Mar 2026, 06:30");
  expect(moment("yesterday")).toBe("yesterday");
  expect(moment(null)).toBe("–");
});

it.each([
  [0, "0 ms"],
  [850, "850 ms"],
  [4200, "4.2 s"],
  [9_970, "10 s"],
  [59_000, "59 s"],
  [200_000, "3 min 20 s"],
  [120_000, "2 min"],
  [7_500_000, "2 h 5 min"],
  [-1, "–"],
])("a duration of %d ms reads %s", (ms, text) => {
  const start = Date.UTC(2026, 0, 1);
  expect(duration(new Date(start).toISOString(), new Date(start + ms).toISOString())).toBe(text);
});

it("shows any JSON value on one line", () => {
  expect([plain(null), plain(1500), plain(0.25), plain("text"), plain(true), plain({ a: [1] })]).toEqual(["–", "1,500", "0.25", "text", "true", '{"a":[1]}']);
  expect(words("reading_rows")).toBe("Reading rows");
});

describe("facts", () => {
  it("are figures and words, those one level down too, without lists and what is empty", () => {
    const result = { n_reviews: 6601, model: "m", quality: { silhouette: 0.214955, candidates: [1, 2] }, segments: [["s1"]], error: null };
    expect(facts(result)).toEqual([
      ["Reviews", "6,601"],
      ["Model", "m"],
      ["Silhouette", "0.215"],
    ]);
  });
});
