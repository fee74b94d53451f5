// One segment: what its customers say, who they are, and how to take them elsewhere.

import { get, key, path, withQuery } from "../api";
import { curl } from "../curl";
import { h, said } from "../dom";
import { counted, count, decimal, isUnstable, percent, steadiness } from "../format";
import type { Context, Page } from "../page";
import { Pager } from "../paging";
import { bar, download, facts, hueOf, measured, runnerUp, since, snippet } from "../pieces";
import { address } from "../router";
import type { Difference, Member, MembersPage, Portrait, Segment, SegmentAnswer } from "../types";

const PAGE_SIZE = 50;
const EFFECT = "The difference of means in everyone's standard deviations; counts, money and days by their logarithm";
const CONFIDENCE = "How often a customer placed like this one keeps the segment when the fit is repeated on other samples";

export async function segmentPage(context: Context, segmentation: string, id: string): Promise<Page> {
  const answer = await get<SegmentAnswer>(path("segmentations", segmentation, "segments", id), context.signal);
  const { segment, version } = answer;
  const content = h(
    "div",
    { class: `page ${hueOf(segment.id)}` },
    h(
      "div",
      { class: "heading" },
      h("p", { class: "crumbs" }, h("a", { href: address("s", segmentation) }, segmentation), ` / ${segment.id}`),
      h("h1", { class: "dotted" }, said(segment.name || segment.id)),
    ),
    facts(
      ["Customers", count(segment.size)],
      ["Share", percent(segment.share)],
      ["Cohesion", decimal(segment.cohesion)],
      ["Stability", `${isUnstable(segment.stability) ? "⚠ " : ""}${decimal(segment.stability)} (${steadiness(segment.stability)})`],
      ["Version", count(version)],
    ),
    h("div", { class: "columns" }, typicalReviews(segment), weights(segment)),
    ...(segment.portrait ? [portrait(segment.portrait)] : []),
    members(context, segmentation, segment, version),
    takeAway(segmentation, segment),
  );
  return { title: segment.name || segment.id, content };
}

function typicalReviews(segment: Segment): HTMLElement {
  const quotes = segment.typical_reviews.slice(0, 3).map((review) =>
    h(
      "figure",
      { class: "quote" },
      h("blockquote", { dir: "auto" }, review.text),
      h("figcaption", { class: "quiet" }, h("a", { href: address("customers", review.customer_id) }, said(review.customer_id)), ` · similarity ${decimal(review.similarity)}`),
    ),
  );
  return h(
    "section",
    { class: "panel", "aria-labelledby": "typical" },
    h("h2", { id: "typical" }, "What they say"),
    ...(quotes.length > 0 ? quotes : [h("p", { class: "quiet" }, "No typical review was kept for this segment.")]),
  );
}

function weights(segment: Segment): HTMLElement {
  const largest = Math.max(0, ...segment.keywords.map((keyword) => keyword.score)) || 1;
  const rows = segment.keywords.map(({ term, score }) =>
    h("tr", {}, h("th", { scope: "row" }, said(term)), h("td", {}, h("span", { class: "measured" }, bar(score / largest), h("span", { class: "number" }, decimal(score))))),
  );
  return h(
    "section",
    { class: "panel", "aria-labelledby": "keywords" },
    h("h2", { id: "keywords" }, "Words that set them apart"),
    rows.length === 0
      ? h("p", { class: "quiet" }, "No word sets this segment apart.")
      : h("table", { class: "plain-table" }, h("thead", { class: "hidden" }, h("tr", {}, h("th", {}, "Word"), h("th", {}, "Weight"))), h("tbody", {}, ...rows)),
    h("p", { class: "quiet" }, "Weights compare words within this version only."),
  );
}

function portrait({ differences, rule }: Portrait): HTMLElement {
  const value = (one: Difference, of: Difference["segment"]): string => (one.unit === "share" ? percent(of) : decimal(of));
  const rows = differences.map((one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, said(one.name_en)),
      h("td", { class: "number" }, value(one, one.segment)),
      h("td", { class: "number" }, value(one, one.everyone)),
      h("td", { class: "number", title: `95 % interval: ${decimal(one.low)} to ${decimal(one.high)}` }, decimal(one.effect)),
    ),
  );
  const head = ["Feature", "Here", "Everyone", "Effect"].map((text) => h("th", { scope: "col", title: text === "Effect" ? EFFECT : null }, text));
  return h(
    "section",
    { class: "panel", "aria-labelledby": "portrait" },
    h("h2", { id: "portrait" }, "How they differ from everyone"),
    rows.length === 0
      ? h("p", { class: "quiet" }, "Nothing they do or are sets them apart.")
      : h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "portrait" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows))),
    ...(rule ? [h("p", {}, "A short rule: ", h("strong", {}, said(rule.text_en)), ` (precision ${decimal(rule.precision)}, recall ${decimal(rule.recall)})`)] : []),
  );
}

function members(context: Context, segmentation: string, segment: Segment, version: number): HTMLElement {
  const membersPath = path("segmentations", segmentation, "members");
  const pager = new Pager<Member, MembersPage>((cursor) => get(withQuery(membersPath, { segment: segment.id, limit: PAGE_SIZE, cursor }), context.signal));
  const body = h("tbody", {});
  const shown = h("span", { class: "quiet", role: "status" });
  const trouble = h("div", {});
  const more = h("button", { type: "button" }, `Show ${PAGE_SIZE} more`);
  const load = async (): Promise<void> => {
    more.disabled = true;
    trouble.replaceChildren();
    try {
      const page = await pager.next();
      if (page !== null) body.append(...page.data.map((member) => memberRow(segmentation, member)));
      if (page !== null && page.version !== version) trouble.append(newVersion(context));
      shown.replaceChildren(pager.items.length === 0 ? "Nobody is in this segment now." : `${count(pager.items.length)} of ${counted(segment.size, "customer")} shown`);
    } catch (error) {
      context.showFailure(trouble, error, () => void load());
    }
    more.disabled = false;
    more.hidden = !pager.hasMore;
  };
  more.addEventListener("click", () => void load());
  void load();
  const head = ["Customer", "Confidence", "Runner-up", "Since"].map((text) => h("th", { scope: "col", title: text === "Confidence" ? CONFIDENCE : null }, text));
  const csv = withQuery(membersPath, { segment: segment.id, format: "csv" });
  const fail = (error: unknown): void => context.showFailure(trouble, error, () => trouble.replaceChildren());
  return h(
    "section",
    { class: "panel", "aria-labelledby": "members" },
    h("div", { class: "panel-head" }, h("h2", { id: "members" }, "Who is in it"), download("Download audience (CSV)", csv, `${segmentation}-${segment.id}.csv`, fail)),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": "members" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), body)),
    trouble,
    h("p", { class: "actions" }, more, shown),
  );
}

function memberRow(segmentation: string, member: Member): HTMLElement {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("a", { href: address("customers", member.customer_id) }, said(member.customer_id))),
    h("td", {}, measured(member.confidence)),
    h("td", {}, runnerUp(segmentation, member)),
    h("td", {}, since(member.since, member.reason)),
  );
}

function newVersion(context: Context): HTMLElement {
  return h("p", { class: "notice", role: "alert" }, "A new version went live while you were reading. ", h("button", { type: "button", class: "small", onclick: context.reload }, "Reload"));
}

function takeAway(segmentation: string, segment: Segment): HTMLElement {
  const base = { origin: location.origin, withKey: key.read() !== null };
  const membersPath = path("segmentations", segmentation, "members");
  return h(
    "section",
    { class: "panel", "aria-labelledby": "curl" },
    h("h2", { id: "curl" }, "Use it from your own programs"),
    snippet("This segment's customers, page by page", curl({ ...base, path: withQuery(membersPath, { segment: segment.id, limit: PAGE_SIZE }) })),
    snippet("The whole audience as a CSV file", curl({ ...base, path: withQuery(membersPath, { segment: segment.id, format: "csv" }), output: `${segmentation}-${segment.id}.csv` })),
    snippet("The segment itself", curl({ ...base, path: path("segmentations", segmentation, "segments", segment.id) })),
  );
}
