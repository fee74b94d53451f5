// Makes the calls of standard input through `@segment/analytics-node`, and says how many the client gave up.

import { Analytics } from '@segment/analytics-node';
import { readAsk, say } from './ask.mjs';

const ask = readAsk();
const analytics = new Analytics({ writeKey: ask.key, host: ask.url, ...ask.options });
let givenUp = 0;
analytics.on('error', () => {
  givenUp += 1;
});
for (const [kind, call] of ask.calls) analytics[kind](call);
await analytics.closeAndFlush({ timeout: 60_000 });
say(givenUp);
// The timer of closeAndFlush would keep the process for the whole minute.
process.exit(0);
