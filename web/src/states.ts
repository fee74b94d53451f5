// What a page shows when it has nothing to show yet: loading, empty, failed, asking for a key. No page is ever blank.

import { key, Problem } from "./api";
import { serviceFlags } from "./curl";
import { h, type Child } from "./dom";
import { snippet } from "./pieces";

export function loading(what: string): HTMLElement {
  return h("div", { class: "state loading", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), `Loading ${what}…`);
}

export function empty(title: string, ...children: Child[]): HTMLElement {
  return h("section", { class: "panel state-empty" }, h("h2", {}, title), ...children);
}

export function failure(error: unknown, retry: () => void): HTMLElement {
  const problem = Problem.from(error);
  const items = problem.items.map((item) =>
    h("li", {}, item.pointer ? h("code", {}, item.pointer) : null, item.pointer ? " " : null, item.detail ?? item.code ?? ""),
  );
  return h(
    "section",
    { class: "panel state-error", role: "alert" },
    h("h2", {}, problem.title),
    h("p", {}, problem.detail),
    items.length > 0 && h("ul", {}, ...items),
    h("p", { class: "quiet" }, "Code ", h("code", {}, problem.code), problem.requestId ? " · request " : null, problem.requestId ? h("code", {}, problem.requestId) : null),
    h(
      "p",
      { class: "actions" },
      h("button", { type: "button", onclick: retry }, "Try again"),
      problem.status === 403 && key.read() !== null && h("button", { type: "button", class: "plain", onclick: forgetThen(retry) }, "Use another key"),
    ),
  );
}

/** Shown when the API answers 401; the key stays in this tab's session storage and nowhere else. */
export function askForKey(retry: () => void): HTMLElement {
  const refused = key.read() !== null;
  const input = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-note" });
  const keep = (event: Event): void => {
    event.preventDefault();
    if (input.value.trim() === "") return;
    key.keep(input.value.trim());
    retry();
  };
  return h(
    "section",
    { class: "panel state-key" },
    h("h2", {}, refused ? "This key was not accepted" : "This service asks for a key"),
    h("p", {}, "Type an API key with the scope ", h("code", {}, "read"), ". Whoever runs the service makes one with ", h("code", {}, "clientele keys create"), "."),
    h("form", { class: "row", onsubmit: keep }, h("label", { for: "key" }, "API key"), input, h("button", { type: "submit" }, "Continue")),
    h("p", { class: "quiet", id: "key-note" }, "It stays in this tab until you close it, and is sent to this service only."),
  );
}

/** For a service without any segmentation: the three commands from a file of reviews to segments. */
export function firstSteps(lookAgain: () => void): HTMLElement {
  const service = serviceFlags(location.origin, key.read() !== null);
  return empty(
    "No segments yet",
    h("p", {}, "Three commands lead from a file of reviews to named segments. Run them where the file is; after the second one, look here again."),
    h(
      "ol",
      { class: "steps" },
      h("li", {}, snippet("Send the reviews", `clientele import --kind reviews --customer customer_id --text text ${service} reviews.csv`)),
      h("li", {}, snippet("Find the segments", `clientele fit --name needs --k auto ${service}`)),
      h("li", {}, snippet("Take the result with you", `clientele export --segmentation needs --format csv ${service}`)),
    ),
    h("p", { class: "actions" }, h("button", { type: "button", onclick: lookAgain }, "Look again"), h("span", { class: "quiet" }, "An import or a fit that is running shows under ", h("a", { href: "#/jobs" }, "Jobs"), ".")),
  );
}

function forgetThen(action: () => void): () => void {
  return () => {
    key.forget();
    action();
  };
}
