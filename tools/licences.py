#!/usr/bin/env python3
"""Checks that every dependency has a licence deny.toml allows, from `cargo metadata` alone.

For machines without cargo-deny: the same list, the same exceptions, no network.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def satisfied(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences; `/` is the old way to write OR."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    source = []
    i = 0
    while i < len(words):
        word = words[i]
        if word in ("(", ")"):
            source.append(word)
        elif word in ("AND", "OR"):
            source.append(word.lower())
        else:
            if words[i + 1 : i + 2] == ["WITH"]:
                word = f"{word} WITH {words[i + 2]}"
                i += 2
            source.append(str(word in allowed))
        i += 1
    return bool(eval(" ".join(source), {"__builtins__": {}}))  # only True, False, and, or, parentheses


def main() -> int:
    settings = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]
    allowed = set(settings["allow"])
    exceptions = {e.get("crate") or e["name"]: set(e["allow"]) for e in settings.get("exceptions", [])}
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    wrong = []
    for package in metadata["packages"]:
        licence = package["license"] or ""
        if not licence or not satisfied(licence, allowed | exceptions.get(package["name"], set())):
            wrong.append(f"{package['name']} {package['version']}: {licence or 'no licence named'}")
    if wrong:
        print("licences that deny.toml does not allow:\n  " + "\n  ".join(wrong))
        return 1
    print(f"licences: {len(metadata['packages'])} packages, all allowed by deny.toml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
