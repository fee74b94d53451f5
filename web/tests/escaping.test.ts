import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { path, withQuery } from "../src/api";
import { curl, quote } from "../src/curl";
import { address, parse } from "../src/router";

const NASTY = ["plain", "two words", "it's", "$(reboot)", "`id`", 'a"b', "a\\b", "a/b#c?d&e=f", "顾客 三号", "100%", "%2F", "..", "-rf", "~", "!!", "*", "<img src=x>", "a;b|c>d"];

describe("a quoted word reaches a program as it was", () => {
  it.each(NASTY)("%s", (word) => {
    const seen = execFileSync("sh", ["-c", `printf %s ${quote(word)}`], { encoding: "utf8" });
    expect(seen).toBe(word);
  });
});

it("a command with a body is one call with one argument each", () => {
  const command = curl({ origin: "http://127.0.0.1:8080", path: "/v1/segmentations/needs/assign", withKey: true, body: { text: "it's $HOME" } });
  const script = `CLIENTELE_KEY=k; curl() { for word in "$@"; do printf '%s\\n' "$word"; done; }; ${command}`;
  expect(execFileSync("sh", ["-c", script], { encoding: "utf8" }).trim().split("\n")).toEqual([
    "-sS",
    "--fail-with-body",
    "-H",
    "Authorization: Bearer k",
    "-H",
    "Content-Type: application/json",
    "-d",
    `{"text":"it's $HOME"}`,
    "http://127.0.0.1:8080/v1/segmentations/needs/assign",
  ]);
});

describe("an id stays one part of an address", () => {
  it.each(NASTY)("%s", (id) => {
    expect(parse(address("customers", id))).toEqual({ page: "customer", customer: id });
    expect(parse(address("s", "needs", id))).toEqual({ page: "segment", segmentation: "needs", segment: id });
    expect(path("customers", id, "segments").split("/")).toHaveLength(5);
    expect(new URLSearchParams(withQuery("/x", { id }).split("?")[1]).get("id")).toBe(id);
  });
});

it("addresses that lead nowhere are known as such", () => {
  for (const hash of ["#/nowhere", "#/jobs/1", "#/s/a/b/c", "#/s"]) expect(parse(hash).page).toBe("unknown");
  for (const hash of ["", "#", "#/"]) expect(parse(hash)).toEqual({ page: "overview", segmentation: null });
  expect(parse("#/customers/%E0%A4%A")).toEqual({ page: "customer", customer: "%E0%A4%A" });
});

it("no source turns text into markup or writes a style attribute", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(10);
  for (const name of files) {
    expect(readFileSync(join("src", name), "utf8"), name).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|style: ["'`]/);
  }
});
