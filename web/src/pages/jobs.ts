// Imports and fits: what runs, how far it is, what came of it. Asks again every two seconds while anything is running.

import { list, path } from "../api";
import { h, said, setVariable } from "../dom";
import { count, duration, facts, moment, plain, words } from "../format";
import type { Context, Page } from "../page";
import { empty } from "../states";
import type { Job } from "../types";

const POLL_MS = 2000;
const MOST = 200;

export async function jobsPage(context: Context): Promise<Page> {
  const rows = h("div", {});
  const trouble = h("div", {});
  const status = h("p", { class: "quiet", role: "status" });
  const fetchJobs = (): Promise<Job[]> => list<Job>(path("jobs"), context.signal, MOST);
  const show = (jobs: Job[]): void => {
    rows.replaceChildren(jobs.length === 0 ? noJobs() : table(newestFirst(jobs)));
    const open = jobs.filter(isOpen).length;
    const text = open === 0 ? "Nothing is running." : `${count(open)} at work; this page follows along.`;
    if (status.textContent !== text) status.replaceChildren(text);
    if (open > 0) later();
  };
  const refresh = async (): Promise<void> => {
    try {
      show(await fetchJobs());
      trouble.replaceChildren();
    } catch (error) {
      if (context.signal.aborted) return;
      context.showFailure(trouble, error, () => void refresh());
    }
  };
  const later = (): void => {
    const timer = setTimeout(() => {
      if (document.hidden) later();
      else void refresh();
    }, POLL_MS);
    context.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  };
  show(await fetchJobs());
  return { title: "Jobs", content: h("div", { class: "page" }, h("div", { class: "heading" }, h("h1", {}, "Jobs"), status), trouble, rows) };
}

function isOpen(job: Job): boolean {
  return job.state === "queued" || job.state === "running";
}

function newestFirst(jobs: Job[]): Job[] {
  return [...jobs].sort((a, b) => b.created_at.localeCompare(a.created_at));
}

function noJobs(): HTMLElement {
  return empty("No jobs yet", h("p", {}, "Imports and fits show here from the moment they are asked for. ", h("a", { href: "#/" }, "How to start one"), "."));
}

function table(jobs: Job[]): HTMLElement {
  return h("ul", { class: "jobs" }, ...jobs.map(card));
}

function card(job: Job): HTMLElement {
  return h(
    "li",
    { class: "panel job" },
    h("div", { class: "panel-head" }, h("h2", {}, words(job.kind)), h("span", { class: `state-tag ${job.state}` }, job.state)),
    isOpen(job) && progress(job),
    job.error && h("p", { class: "notice bad" }, said(job.error.detail), " ", h("code", {}, job.error.code)),
    job.state === "succeeded" && result(job.result),
    h("p", { class: "quiet" }, moment(job.created_at), job.finished_at ? ` · took ${duration(job.created_at, job.finished_at)}` : null, " · ", h("code", {}, job.id)),
  );
}

function progress(job: Job): HTMLElement {
  const { phase, done, total } = job.progress;
  const text = job.state === "queued" ? "Waiting for its turn" : `${words(phase)}: ${count(done)}${total === null ? "" : ` of ${count(total)}`}`;
  const known = total !== null && total > 0;
  const element = h("div", { class: `progress${known || job.state === "queued" ? "" : " unknown"}`, role: "progressbar", "aria-label": text, ...(known ? { "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": Math.min(done, total) } : {}) }, h("span", {}));
  setVariable(element, "--width", known ? `${Math.min(done / total, 1) * 100}%` : "0%");
  return h("div", {}, h("p", {}, text), element);
}

function result(value: unknown): HTMLElement | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== "object" || Array.isArray(value)) return h("p", {}, said(plain(value)));
  const pairs = facts(value).map(([name, one]) => h("div", {}, h("dt", {}, name), h("dd", {}, said(one))));
  const everything = h("details", { class: "quiet" }, h("summary", {}, "The whole result"), h("pre", {}, JSON.stringify(value, null, 2)));
  return h("div", {}, h("dl", { class: "facts small" }, ...pairs), everything);
}
