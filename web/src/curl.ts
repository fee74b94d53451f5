// Commands to paste into a shell. Whatever an id holds, it stays one argument.

export interface Call {
  origin: string;
  path: string;
  /** Whether this service asks for a key; the command then names a variable, never the key itself. */
  withKey: boolean;
  /** A JSON body makes it a POST. */
  body?: unknown;
  /** A file to write the answer to. */
  output?: string;
}

/** One word of a POSIX shell: plain when it is harmless, else in single quotes. */
export function quote(word: string): string {
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export function curl(call: Call): string {
  const words = ["curl", "-sS", "--fail-with-body"];
  if (call.withKey) words.push("-H", '"Authorization: Bearer $CLIENTELE_KEY"');
  if (call.body !== undefined) {
    words.push("-H", quote("Content-Type: application/json"), "-d", quote(JSON.stringify(call.body)));
  }
  if (call.output !== undefined) words.push("-o", quote(call.output));
  words.push(quote(call.origin + call.path));
  return words.join(" ");
}

/** How the command line is told of this service. */
export function serviceFlags(origin: string, withKey: boolean): string {
  return `--url ${quote(origin)}${withKey ? ' --key "$CLIENTELE_KEY"' : ""}`;
}
