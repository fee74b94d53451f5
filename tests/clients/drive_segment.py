"""Makes the calls that come as JSON on standard input through `segment-analytics-python`, and says what the client gave up.

{"url", "key", "options", "calls": [["track", {"userId": …}], …]} in, {"given_up": n} out, as the drivers in node/ do.
"""

import json
import re
import sys
from datetime import datetime

from segment.analytics.client import Client


def arguments(call):
    """The spec's names as Python writes them."""
    named = {re.sub("([A-Z])", lambda letter: "_" + letter[0].lower(), name): value for name, value in call.items()}
    if "timestamp" in named:
        named["timestamp"] = datetime.fromisoformat(named["timestamp"])
    return named


def main():
    ask = json.load(sys.stdin)
    given_up = []
    client = Client(ask["key"], host=ask["url"], on_error=lambda _, calls: given_up.extend(calls), **ask["options"])
    for kind, call in ask["calls"]:
        getattr(client, kind)(**arguments(call))
    client.shutdown()
    print(json.dumps({"given_up": len(given_up)}))


main()
