#!/usr/bin/env python3
"""How good the segments are, beside BERTopic's recipe, scikit-learn and RFM, on the same vectors and rows, in one run.

Our side is the program itself, by its command line. Prints a table and writes target/bench/evaluate.json:
{"rows": [{"set", "measure", "entry", "value"}]}, with `interval` where one was measured.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import buyers
import heads
import planted
import texts
from product import ROOT, WORK, Product

PARTS = ["texts", "heads", "planted", "cdnow", "clicks"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=ROOT / "target/release/clientele")
    parser.add_argument("--head-worker", default=ROOT / "target/release/examples/head_worker")
    parser.add_argument("--models", default=os.environ.get("CLIENTELE_MODELS_DIR", ROOT / "models"))
    parser.add_argument("--data", default=ROOT.parent / "shared/data")
    parser.add_argument("--e5", default=ROOT.parent / "shared/models/multilingual-e5-small-zh-en")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts only")
    parser.add_argument("--set", action="append", help="of the texts, these sets only")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    product = Product(arguments.program, arguments.models, arguments.data, arguments.e5)
    rows = []

    def add(set_, measure, entry, value, interval=None):
        row = dict(set=set_, measure=measure, entry=entry, value=round(float(value), 4))
        shown = ""
        if interval:
            row["interval"] = [round(float(end), 4) for end in interval]
            shown = "  ({:.3f} to {:.3f})".format(*interval)
        rows.append(row)
        print(f"{set_:<24}{measure:<52}{entry:<58}{row['value']:>9.4f}{shown}", flush=True)

    parts = {
        "texts": lambda: texts.run(product, arguments.set, range(arguments.seeds), add),
        "heads": lambda: heads.run(product, arguments.head_worker, add),
        "planted": lambda: planted.run(product, add),
        "cdnow": lambda: buyers.cdnow(product, add),
        "clicks": lambda: buyers.clicks(product, add),
    }
    for part in arguments.only or PARTS:
        if part in ("planted", "cdnow", "clicks") and not product.takes_behaviour():
            print(f"{part}: skipped, fits of {arguments.program} take texts alone")
            continue
        parts[part]()
    out = ROOT / "target/bench/evaluate.json"
    out.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    print(f"\n{out.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
