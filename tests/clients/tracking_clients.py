"""The real tracking clients: where they are installed, how they are driven, and how they are made to keep trying."""

import importlib.util
import json
import os
import subprocess
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A client that is not done by then hangs.
TIMEOUT_S = 60


@dataclass
class Client:
    name: str
    command: list
    is_installed: bool
    # Batches of 20 calls, with retries enough for a service that is killed and comes back.
    patient: dict
    # Whether it writes the key into the body as well.
    key_in_body: bool
    # Whether it packs with gzip by itself, and whether it has an option for that.
    packs: bool = False
    can_pack: bool = True
    # One that does not throws when an id is a number.
    takes_numbers: bool = True

    def send(self, url, key, calls, options=None):
        """Makes the calls, flushes, and gives how many the client gave up."""
        ask = {"url": url, "key": key, "options": options or {}, "calls": calls}
        driver = subprocess.run(self.command, input=json.dumps(ask), capture_output=True, text=True, timeout=TIMEOUT_S)
        if driver.returncode != 0:
            raise AssertionError(f"{self.name} ended with {driver.returncode}:\n{driver.stderr}")
        return json.loads(driver.stdout)["given_up"]


def node(name, driver, **about):
    package = HERE / "node/node_modules" / name / "package.json"
    return Client(name, ["node", str(HERE / "node" / driver)], package.exists(), **about)


def has_python_client():
    try:
        return importlib.util.find_spec("segment.analytics") is not None
    except ModuleNotFoundError:
        return False


CLIENTS = [
    Client(
        "segment-analytics-python",
        [sys.executable, str(HERE / "drive_segment.py")],
        has_python_client(),
        patient={"upload_size": 20, "upload_interval": 0.05, "max_retries": 10},
        key_in_body=True,
    ),
    node(
        "@segment/analytics-node",
        "segment.mjs",
        patient={"flushAt": 20, "flushInterval": 100, "maxRetries": 10},
        key_in_body=True,
        can_pack=False,
        takes_numbers=False,
    ),
    # Its three retries are over after a second and a half.
    node(
        "@rudderstack/rudder-sdk-node",
        "rudder.mjs",
        patient={"flushAt": 20, "flushInterval": 100, "retryCount": 10},
        key_in_body=False,
        packs=True,
    ),
]


def installed():
    """The clients that are here. One that is not is named: an error in CI, skipped elsewhere."""
    missing = [client.name for client in CLIENTS if not client.is_installed]
    if missing and os.environ.get("CI") == "true":
        raise AssertionError(f"not installed: {', '.join(missing)}; `make clients` gets them from their registries")
    for name in missing:
        print(f"SKIPPED: {name} is not installed; `make clients` gets it from its registry", file=sys.stderr)
    if len(missing) == len(CLIENTS):
        raise unittest.SkipTest("no tracking client is installed")
    return [client for client in CLIENTS if client.is_installed]
