// The API's shapes over invented data, for developing the console. Not part of the product: it keeps and checks nothing.
//
//   node mock/server.mjs [--port 8899] [--mode normal|empty|key|broken]
//
// It also serves dist/ as the binary does, content policy included, so that the built console can be looked at.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import * as data from "./data.mjs";

const { values: options } = parseArgs({ options: { port: { type: "string", default: "8899" }, mode: { type: "string", default: "normal" } } });
const dist = new URL("../dist/", import.meta.url);

/** Kept equal to the one in src/console/mod.rs. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const TYPES = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };

class Refusal extends Error {
  constructor(status, title, detail, code) {
    super(detail);
    this.problem = { type: "about:blank", title, status, detail, code, request_id: "req-0197d3c2" };
  }
}

const missing = (what) => new Refusal(404, "Not found", `There is no ${what}.`, "not_found");

function versionOf(name) {
  const version = data.versions[name];
  if (!version) throw missing(`live version of the segmentation "${name}"`);
  return version;
}

function membersPage(name, query) {
  const { version } = versionOf(name);
  const all = data.members(name, query.get("segment"));
  if (query.get("format") === "csv") return "customer_id,segment_id,confidence\n" + all.map((one) => `"${one.customer_id.replaceAll('"', '""')}",${one.segment_id},${one.confidence}`).join("\n");
  const from = Number(query.get("cursor") ?? 0);
  const to = from + Number(query.get("limit") ?? 50);
  return { segmentation: name, version, data: all.slice(from, to), next_cursor: to < all.length ? String(to) : null, has_more: to < all.length };
}

/** The answer to a call below /v1. */
function answer(parts, query, body) {
  const [first, second, third, fourth] = parts;
  const whole = (rows) => ({ data: rows, next_cursor: null, has_more: false });
  const none = options.mode === "empty";
  if (first === "workspace") return { workspace: "default", customers: none ? 0 : 3710, reviews: none ? 0 : 11_147, events: none ? 0 : 98_210 };
  if (first === "jobs") return whole(none ? [] : data.jobs());
  if (first === "customers" && second !== undefined) {
    if (none || second === "nobody") throw new Refusal(404, "Unknown customer", `No fact was ever sent about the customer "${second}".`, "customer_not_found");
    return third === "segments" ? data.customerSegments(second) : data.customer(second);
  }
  if (first !== "segmentations") throw missing(`route ${parts.join("/")}`);
  if (second === undefined) return whole(none ? [] : data.segmentations);
  if (third === "versions") return versionOf(second);
  if (third === "members") return membersPage(second, query);
  if (third === "assign") return data.assign(second, JSON.parse(body).text);
  if (third !== "segments") throw missing(`route ${parts.join("/")}`);
  const version = versionOf(second);
  if (fourth === undefined) return { segmentation: second, version: version.version, data: version.segments };
  const segment = version.segments.find((one) => one.id === fourth);
  if (!segment) throw new Refusal(404, "Unknown segment", `The live version has no segment "${fourth}".`, "segment_not_found");
  return { segmentation: second, version: version.version, segment };
}

function refuseByMode(request) {
  if (options.mode === "broken") throw new Refusal(503, "The store is not available", "The disk is full. Free some space; nothing that was acknowledged is lost.", "store_unavailable");
  if (options.mode === "key" && request.headers.authorization !== "Bearer open-sesame") {
    throw new Refusal(401, "A key is needed", "Send the header Authorization: Bearer KEY.", "unauthorized");
  }
}

async function file(response, path) {
  const name = path === "/" ? "index.html" : path.replace("/console/", "");
  if (name.includes("..")) throw missing("such file");
  const body = await readFile(new URL(name, dist)).catch(() => Promise.reject(missing(`file ${name}; run npm run build first`)));
  const headers = path === "/" ? { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY } : { "Content-Type": TYPES[name.split(".").pop()] };
  response.writeHead(200, { ...headers, "X-Content-Type-Options": "nosniff" }).end(body);
}

const server = createServer(async (request, response) => {
  try {
    const url = new URL(request.url, "http://mock");
    if (!url.pathname.startsWith("/v1/")) return await file(response, url.pathname);
    refuseByMode(request);
    let body = "";
    for await (const chunk of request) body += chunk;
    const result = answer(url.pathname.split("/").slice(2).map(decodeURIComponent), url.searchParams, body);
    const csv = typeof result === "string";
    response.writeHead(200, csv ? { "Content-Type": "text/csv; charset=utf-8", "Content-Disposition": "attachment" } : { "Content-Type": "application/json" });
    response.end(csv ? result : JSON.stringify(result));
  } catch (error) {
    const problem = error.problem ?? { type: "about:blank", title: "Bad request", status: 400, detail: String(error), code: "bad_request" };
    response.writeHead(problem.status, { "Content-Type": "application/problem+json" }).end(JSON.stringify(problem));
  }
});

server.listen(Number(options.port), "127.0.0.1", () => console.log(`mock API (${options.mode}) on http://127.0.0.1:${server.address().port}`));
