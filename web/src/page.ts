// What a page is: it fetches what it needs, then hands back an element. Failures are shown by whoever opened it.

export interface Context {
  /** Aborted when the visitor leaves the page: no call and no timer outlives it. */
  signal: AbortSignal;
  /** Opens the page anew. */
  reload: () => void;
  /** Shows a failure in place of an element: a key is asked for where one is missing. */
  showFailure: (place: Element, error: unknown, retry: () => void) => void;
}

export interface Page {
  title: string;
  content: HTMLElement;
}
