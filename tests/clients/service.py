"""`clientele serve` as a child of the tests: on a free loopback port, over a folder of its own, with keys.

It can be killed without a word and started again on the same folder and port, as an operator's supervisor would.
"""

import json
import os
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTELE = Path(os.environ.get("CLIENTELE_BIN", ROOT / "target/debug/clientele"))


class Service:
    """A running service, with a key that may read and one that may not."""

    def __init__(self, prepare=lambda root: []):
        """`prepare` gets the folder before the start and gives more arguments for `serve`."""
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CLIENTELE_")}
        self.environment["HF_HUB_OFFLINE"] = "1"
        self.data = str(root / "data")
        self.arguments = prepare(root)
        self.reader = self.key("read")
        self.writer = self.key("write")
        self.address = "127.0.0.1:0"
        self.start()

    def key(self, scope):
        command = [CLIENTELE, "keys", "create", "--label", scope, "--scopes", scope, "--data-dir", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment).stdout.strip()

    def start(self):
        """Starts it, again under the address that it had."""
        command = [CLIENTELE, "serve", "--listen", self.address, "--data-dir", self.data, *self.arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.url = self.listening()
        self.address = urllib.parse.urlsplit(self.url).netloc
        # The rest of what it says is of no use, but the pipe must not fill up.
        self.drain = threading.Thread(target=self.process.stderr.read)
        self.drain.start()

    def listening(self):
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on " in line:
                return line.split("listening on ")[1].split(";")[0].strip()
        raise SystemExit("the service did not start:\n" + "".join(said))

    def kill(self):
        """SIGKILL: nothing is written or closed in good order."""
        self.process.kill()
        self.ended()

    def ended(self):
        self.process.wait(timeout=60)
        self.drain.join(timeout=60)
        self.process.stderr.close()

    def stop(self):
        self.process.terminate()
        self.ended()
        self.folder.cleanup()

    def post(self, path, body):
        return self.answer(path, json.dumps(body).encode())

    def get(self, path):
        return self.answer(path, None)

    def pages(self, path):
        """All rows of a list, page by page."""
        rows, cursor = [], {}
        while True:
            page = self.get(f"{path}?{urllib.parse.urlencode({'limit': 200} | cursor)}")
            rows += page["data"]
            if not page["has_more"]:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    def answer(self, path, body):
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.reader}"}
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)
