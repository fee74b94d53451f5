"""The program under test, by its command line: a store a data set, kept between runs; fits; who is in which segment; vectors."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "target/bench/evaluate"


class Product:
    def __init__(self, program, models, data, e5):
        self.program, self.models, self.data, self.e5 = Path(program), Path(models), Path(data), Path(e5)

    def run(self, *arguments):
        models = [] if arguments[0] == "plant" else ["--models-dir", str(self.models)]
        command = [str(self.program), *map(str, arguments), *models]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        return done.stdout

    def takes_behaviour(self):
        """Whether its fits take more than texts in."""
        return "--blocks" in self.run("fit", "--help")

    def model(self, language):
        # A folder of that name has the prefix of the model it is taken for.
        return str(self.e5) if language == "zh" else "all-MiniLM-L6-v2"

    def vectors(self, name, texts, language):
        """Unit vectors of these texts, `[n, dimension]`; made once."""
        kept = WORK / f"{name}.npy"
        if not kept.exists():
            source, out = WORK / f"{name}.texts.ndjson", WORK / f"{name}.vectors.ndjson"
            source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
            out.unlink(missing_ok=True)
            self.run("embed", "--in", source, "--out", out, "--keep", "none", "--model", self.model(language))
            rows = [json.loads(line)["embedding"] for line in out.open()]
            np.save(kept, np.array(rows, dtype=np.float32))
            source.unlink(), out.unlink()
        vectors = np.load(kept)
        if len(vectors) != len(texts):
            sys.exit(f"{kept} is of other texts; remove it")
        return vectors


class Store:
    """A data folder with what was imported into it once."""

    def __init__(self, product, name):
        self.product, self.folder = product, WORK / f"{name}.store"

    def fill(self, imports):
        """`imports`: lists of arguments of the import command."""
        done = self.folder / "imported"
        if done.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        for arguments in imports:
            self.product.run("import", *arguments, "--data-dir", self.folder)
        done.touch()

    def fit(self, name, *arguments):
        """The fit's report."""
        return json.loads(self.product.run("fit", "--name", name, *arguments, "--data-dir", self.folder))

    def members(self, name):
        """Segment id of each customer."""
        out = self.product.run("export", "--segmentation", name, "--format", "csv", "--data-dir", self.folder)
        return {row["customer"]: row["segment_id"] for row in csv.DictReader(out.splitlines())}

    def panel(self, name):
        """What `clientele evaluate` says of the live version."""
        return json.loads(self.product.run("evaluate", "--segmentation", name, "--data-dir", self.folder))
