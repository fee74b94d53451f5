// Makes the calls of standard input through `@rudderstack/rudder-sdk-node`, and says how many the client gave up.

import Analytics from '@rudderstack/rudder-sdk-node';
import { readAsk, say } from './ask.mjs';

const ask = readAsk();
let givenUp = 0;
// Without a handler a batch that is given up is an unhandled rejection, which ends the process.
const options = { dataPlaneUrl: ask.url, logLevel: 'none', errorHandler: () => {}, ...ask.options };
const client = new Analytics(ask.key, options);
const told = ask.calls.map(
  ([kind, call]) =>
    new Promise((resolve) => {
      client[kind](call, (error) => {
        if (error) givenUp += 1;
        resolve();
      });
    }),
);
// One flush takes `flushAt` calls, not all that wait.
for (let i = 0; i < ask.calls.length; i += client.flushAt) await client.flush();
await Promise.all(told);
say(givenUp);
