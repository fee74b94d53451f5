// Pictures of every page of the built console in both themes, and a list of everything the browser complained about.
//
//   npm run build && node --experimental-websocket mock/shots.mjs FOLDER      (Chromium as `chromium`, or in CHROMIUM)
//
// Ends with code 1 when a page logs an error, breaks the content policy, is blank, or runs a text from the data.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HOSTILE_TITLE = "broken in";
const folder = process.argv[2] ?? "shots";
const wide = { width: 1280, height: 900 };
const narrow = { width: 390, height: 844 };

function typeKey(key) {
  return `document.querySelector('#key').value = '${key}'; document.querySelector('form button').click()`;
}

/** What to look at: a mode of the mock, an address, what to do there first, what must then be read there, the size of the window. */
const VIEWS = [
  { name: "overview", mode: "normal", hash: "#/" },
  { name: "overview-zh", mode: "normal", hash: "#/s/kecheng" },
  { name: "overview-narrow", mode: "normal", hash: "#/", size: narrow },
  { name: "not-live", mode: "normal", hash: "#/s/by-topic" },
  { name: "segment", mode: "normal", hash: "#/s/needs/s1" },
  { name: "segment-hostile", mode: "normal", hash: "#/s/needs/s2" },
  { name: "segment-more", mode: "normal", hash: "#/s/needs/s5", act: "[...document.querySelectorAll('button')].find((one) => one.textContent.includes('more')).click()", expect: "100 of 310 customers shown" },
  { name: "customer", mode: "normal", hash: "#/customers/cust-s1-1" },
  { name: "customer-narrow", mode: "normal", hash: "#/customers/cust-s1-1", size: narrow },
  { name: "customer-unknown", mode: "normal", hash: "#/customers/nobody", expectErrors: true },
  { name: "try", mode: "normal", hash: "#/try", act: "document.querySelector('textarea').value = 'It is so quiet that I forget it is on'; document.querySelector('form button').click()" },
  { name: "jobs", mode: "normal", hash: "#/jobs" },
  { name: "unknown", mode: "normal", hash: "#/nowhere" },
  { name: "empty", mode: "empty", hash: "#/" },
  { name: "empty-jobs", mode: "empty", hash: "#/jobs" },
  { name: "key", mode: "key", hash: "#/", expect: "This service asks for a key", expectErrors: true },
  { name: "key-refused", mode: "key", hash: "#/", act: typeKey("wrong"), expect: "This key was not accepted", expectErrors: true },
  { name: "key-accepted", mode: "key", hash: "#/", act: typeKey("open-sesame"), expect: "Quiet sleepers", expectErrors: true },
  { name: "broken", mode: "broken", hash: "#/", expectErrors: true },
];

const started = [];

function start(command, parameters) {
  const child = spawn(command, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  return child;
}

/** The first match of `pattern` in what a program prints. */
function printed(stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (chunk) => {
      text += chunk;
      const match = pattern.exec(text);
      if (match) resolve(match);
    });
    stream.on("end", () => reject(new Error(`ended without ${pattern}: ${text}`)));
  });
}

async function mock(mode) {
  const server = start(process.execPath, [fileURLToPath(new URL("server.mjs", import.meta.url)), "--port", "0", "--mode", mode]);
  return (await printed(server.stdout, /http:\/\/\S+/))[0];
}

async function browser(profile) {
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const child = start(process.env.CHROMIUM ?? "chromium", [...flags, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"]);
  const [, address] = await printed(child.stderr, /DevTools listening on (ws:\S+)/);
  const targets = await (await fetch(`http://${new URL(address).host}/json/list`)).json();
  return connect(targets.find((target) => target.type === "page").webSocketDebuggerUrl);
}

/** A thin client of the browser's debugging protocol: `send` a method, read what was logged in `complaints`. */
async function connect(address) {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const waiting = new Map();
  const complaints = [];
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, method, params, result, error } = JSON.parse(data);
    if (id !== undefined) waiting.get(id)(error ? Promise.reject(new Error(error.message)) : result);
    else if (method === "Runtime.exceptionThrown") complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    else if (method === "Log.entryAdded" && params.entry.level === "error") complaints.push(params.entry.text);
  };
  const send = (method, params = {}) => new Promise((resolve) => {
    waiting.set(++last, resolve);
    socket.send(JSON.stringify({ id: last, method, params }));
  });
  for (const domain of ["Page", "Runtime", "Log"]) await send(`${domain}.enable`);
  return { send, complaints, evaluate: async (expression) => (await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value };
}

/** Resolves when nothing is loading any more. */
const SETTLED = `new Promise((resolve) => { const look = () => document.querySelector("main:not([aria-busy])") && !document.querySelector(".loading") ? setTimeout(resolve, 250) : setTimeout(look, 30); look(); })`;

async function shoot(page, origin, view, theme) {
  const { width, height } = view.size ?? wide;
  await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
  await page.send("Page.navigate", { url: "about:blank" });
  page.complaints.length = 0;
  await page.send("Page.navigate", { url: `${origin}/${view.hash}` });
  await page.evaluate(`new Promise((resolve) => document.readyState === "complete" ? resolve() : addEventListener("load", resolve))`);
  if (view.name.startsWith("key")) await page.evaluate("sessionStorage.clear(); location.reload(); new Promise((resolve) => setTimeout(resolve, 300))").catch(() => {});
  await page.evaluate(SETTLED);
  if (view.act) await page.evaluate(`${view.act}; ${SETTLED}`);
  const expected = await page.evaluate(`document.querySelector("main").innerText.includes(${JSON.stringify(view.expect ?? "")})`);
  const seen = await page.evaluate(`({ title: document.title, letters: document.querySelector("main").innerText.length, sideways: document.documentElement.scrollWidth - innerWidth, full: document.documentElement.scrollHeight })`);
  const { data } = await page.send("Page.captureScreenshot", { captureBeyondViewport: true, clip: { x: 0, y: 0, width, height: Math.max(seen.full, 300), scale: 1 } });
  await writeFile(join(folder, `${view.name}-${theme}.png`), Buffer.from(data, "base64"));
  const faults = view.expectErrors ? [] : [...page.complaints];
  if (seen.title.includes(HOSTILE_TITLE)) faults.push("a text from the data was run");
  if (!expected) faults.push(`"${view.expect}" is not on the page`);
  if (seen.letters < 40) faults.push("the page is blank");
  if (seen.sideways > 0) faults.push(`the page is ${seen.sideways} px too wide`);
  return faults.map((fault) => `${view.name}-${theme}: ${fault}`);
}

const profile = await mkdtemp(join(tmpdir(), "clientele-shots-"));
let faults = [];
try {
  await readFile(new URL("../dist/index.html", import.meta.url));
  await mkdir(folder, { recursive: true });
  const origins = {};
  for (const mode of ["normal", "empty", "key", "broken"]) origins[mode] = await mock(mode);
  const page = await browser(profile);
  for (const view of VIEWS) for (const theme of ["light", "dark"]) faults.push(...(await shoot(page, origins[view.mode], view, theme)));
} finally {
  for (const child of started) child.kill();
  await Promise.all(started.map((child) => child.exitCode !== null || new Promise((resolve) => child.on("exit", resolve))));
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
console.log(faults.length === 0 ? `${VIEWS.length * 2} pictures in ${folder}, no complaints` : faults.join("\n"));
process.exitCode = faults.length === 0 ? 0 : 1;
