// What a driver is asked: {"url", "key", "options", "calls": [["track", {"userId": …}], …]} as JSON on standard input.

import { readFileSync } from 'node:fs';

export function readAsk() {
  const ask = JSON.parse(readFileSync(0, 'utf8'));
  for (const [, call] of ask.calls) {
    for (const name of ['timestamp', 'originalTimestamp']) {
      if (name in call) call[name] = new Date(call[name]);
    }
  }
  return ask;
}

export function say(givenUp) {
  console.log(JSON.stringify({ given_up: givenUp }));
}
