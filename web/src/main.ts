// The frame around the pages: navigation, theme, key, and the one place where loading, failure and the 401 are handled.

import { key, Problem } from "./api";
import { h } from "./dom";
import icon from "./icon.svg";
import type { Context, Page } from "./page";
import { customerPage } from "./pages/customer";
import { jobsPage } from "./pages/jobs";
import { overviewPage } from "./pages/overview";
import { segmentPage } from "./pages/segment";
import { tryPage } from "./pages/try";
import { parse, type Route } from "./router";
import { askForKey, empty, failure, loading } from "./states";
import { applyTheme, themeButton } from "./theme";

const NAVIGATION: { text: string; href: string; pages: Route["page"][] }[] = [
  { text: "Segments", href: "#/", pages: ["overview", "segment"] },
  { text: "Customers", href: "#/customers", pages: ["customer"] },
  { text: "Try a text", href: "#/try", pages: ["try"] },
  { text: "Jobs", href: "#/jobs", pages: ["jobs"] },
];

const links = NAVIGATION.map((entry) => ({ ...entry, element: h("a", { href: entry.href }, entry.text) }));
const main = h("main", { id: "main", tabindex: -1 });
const forget = h("button", { type: "button", class: "plain", hidden: true, onclick: forgetKey }, "Forget key");

let leave = new AbortController();
/** The first page keeps the browser's own focus; later ones move it, so that keyboards and screen readers follow. */
let first = true;

function frame(): void {
  document.body.replaceChildren(
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the content"),
    h(
      "header",
      { class: "top" },
      h("a", { class: "brand", href: "#/" }, h("img", { src: icon, alt: "", width: 26, height: 26 }), "Clientele"),
      h("nav", { "aria-label": "Main" }, ...links.map((link) => link.element)),
      h("span", { class: "tools" }, forget, h("a", { class: "plain", href: "/docs" }, "API"), themeButton()),
    ),
    main,
  );
}

async function open(): Promise<void> {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const route = parse(location.hash);
  const context: Context = { signal, reload: () => void open(), showFailure };
  markCurrent(route);
  main.setAttribute("aria-busy", "true");
  main.replaceChildren(loading("the page"));
  try {
    const page = await pageOf(route, context);
    if (signal.aborted) return;
    document.title = `${page.title} · Clientele`;
    main.replaceChildren(page.content);
  } catch (error) {
    if (signal.aborted) return;
    document.title = "Clientele";
    const place = h("div", {});
    main.replaceChildren(place);
    showFailure(place, error, context.reload);
  }
  main.removeAttribute("aria-busy");
  forget.hidden = key.read() === null;
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  first = false;
}

function pageOf(route: Route, context: Context): Promise<Page> {
  switch (route.page) {
    case "overview":
      return overviewPage(context, route.segmentation);
    case "segment":
      return segmentPage(context, route.segmentation, route.segment);
    case "customer":
      return customerPage(context, route.customer);
    case "try":
      return tryPage(context, route.segmentation);
    case "jobs":
      return jobsPage(context);
    case "unknown": {
      const back = h("p", {}, h("a", { href: "#/" }, "Go to the segments"), ".");
      return Promise.resolve({ title: "No such page", content: empty("There is no such page", h("p", {}, "The address after # leads nowhere: ", h("code", {}, route.path)), back) });
    }
  }
}

function showFailure(place: Element, error: unknown, retry: () => void): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  const problem = Problem.from(error);
  place.replaceChildren(problem.status === 401 ? askForKey(retry) : failure(problem, retry));
}

function markCurrent(route: Route): void {
  for (const { element, pages } of links) {
    if (pages.includes(route.page)) element.setAttribute("aria-current", "page");
    else element.removeAttribute("aria-current");
  }
}

function forgetKey(): void {
  key.forget();
  void open();
}

/** `#main` would be read as a page's address, so the skip link moves the focus itself. */
function skip(event: Event): void {
  event.preventDefault();
  main.focus();
}

applyTheme();
frame();
addEventListener("hashchange", () => void open());
void open();
