"""Our embedder on a GPU beside PyTorch's on the same one, in one run: the same weights, the same texts, from strings to vectors.

    python3 benches/embed/gpu.py --model FOLDER --data FOLDER --ours target/cuda/release/examples/embed_worker

Rivals: sentence-transformers' `encode` as it comes, and transformers' model with everything done that makes it faster (sorted by
length, fused attention, nothing fetched before the end), both in half precision and each with its best batch. Texts of 16, 64 and 256
tokens, and reviews as they are. Medians over rounds in which entries alternate. Writes target/bench/embed_gpu.json.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
import torch
from inputs import column, giga_operations, tokenizer
from rival_worker import padded

N_TOKENS = {"16 tokens": (16, 20_000), "64 tokens": (64, 10_000), "256 tokens": (256, 4_000)}
BATCHES = [64, 256, 1024]


def texts_of(model, reviews, n_tokens, n_texts):
    """Cut from reviews so that each has exactly so many tokens, the special ones included."""
    encode, made = tokenizer(model), []
    encode.no_truncation()
    for text, encoded in zip(reviews, encode.encode_batch(reviews)):
        ends = [end for _, end in encoded.offsets[1:-1]]
        inside = n_tokens - 2
        for first in range(0, len(ends) - inside, inside):
            start = ends[first - 1] if first else 0
            made.append(text[start:ends[first + inside - 1]])
    made = [text for text, encoded in zip(made, encode.encode_batch(made)) if len(encoded.ids) == n_tokens]
    return [made[i % len(made)] for i in range(n_texts)]


class Ours:
    """The Rust worker."""

    def __init__(self, program, model, inputs, precision):
        self.name = f"clientele {precision}"
        command = [program.resolve(), model, inputs, precision]
        self._process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.setting = json.loads(self._process.stdout.readline())["setting"]
        self._folder = inputs

    def _ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        assert "error" not in reply, reply
        return reply

    def seconds(self, name):
        return self._ask(do="run", input=name)["seconds"]

    def single_ms(self, name):
        return self._ask(do="single", input=name, n=100)["ms"]

    def vectors(self, name):
        from safetensors.numpy import load_file

        out = self._folder / "ours.safetensors"
        self._ask(do="vectors", input=name, out=str(out))
        return load_file(out)["vectors"]

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class PyTorch:
    """transformers' BertModel in half precision at its best."""

    def __init__(self, model, texts, dtype, batch):
        from transformers import BertModel

        self.name, self._texts, self._batch = f"pytorch {dtype}, batch {batch}", texts, batch
        kind = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}[dtype]
        self._bert = BertModel.from_pretrained(model, dtype=kind, add_pooling_layer=False, attn_implementation="sdpa").eval().cuda()
        self._encode = tokenizer(model)
        self.setting = "sdpa, sorted by length"

    def _forward(self, rows):
        ids, mask = (torch.from_numpy(one).cuda(non_blocking=True) for one in padded(rows))
        tokens = self._bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        return torch.nn.functional.normalize((tokens * weights).sum(1) / weights.sum(1), dim=1)

    def embed(self, texts):
        with torch.inference_mode():
            rows = [encoded.ids for encoded in self._encode.encode_batch_fast(texts)]
            order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
            lots = [order[at:at + self._batch] for at in range(0, len(order), self._batch)]
            made = torch.cat([self._forward([rows[i] for i in lot]) for lot in lots]).cpu().numpy()
        vectors = numpy.empty_like(made)
        vectors[order] = made
        return vectors

    def seconds(self, name):
        started = time.perf_counter()
        self.embed(self._texts[name])
        return time.perf_counter() - started

    def single_ms(self, name):
        ms = []
        for i in range(100):
            started = time.perf_counter()
            self.embed([self._texts[name][i % len(self._texts[name])]])
            ms.append((time.perf_counter() - started) * 1e3)
        return ms

    def vectors(self, name):
        return self.embed(self._texts[name])


class SentenceTransformers(PyTorch):
    """`encode` as its users call it, in half precision."""

    def __init__(self, model, texts, batch):
        from sentence_transformers import SentenceTransformer
        from transformers import PreTrainedTokenizerFast

        self.name, self._texts, self._batch = f"sentence-transformers f16, batch {batch}", texts, batch
        try:
            self._model = SentenceTransformer(str(model), device="cuda", model_kwargs={"dtype": torch.float16})
        except Exception:
            fast = PreTrainedTokenizerFast(tokenizer_file=str(model / "tokenizer.json"), pad_token="[PAD]", cls_token="[CLS]",
                                           sep_token="[SEP]", unk_token="[UNK]", mask_token="[MASK]")
            folder = model.parent / "with-tokenizer"
            folder.mkdir(exist_ok=True)
            for file in model.iterdir():
                target = folder / file.name
                if file.is_file() and not target.exists():
                    target.symlink_to(file.resolve())
            fast.save_pretrained(folder)
            self._model = SentenceTransformer(str(folder), device="cuda", model_kwargs={"dtype": torch.float16})
        self._model.max_seq_length = 256
        self.setting = "encode, normalised"

    def embed(self, texts):
        return self._model.encode(texts, batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False)


def best(make, names):
    """Of each input the batch that is fastest."""
    found = {}
    for batch in BATCHES:
        try:
            one = make(batch)
            for name in names:
                one.seconds(name)
                seconds = min(one.seconds(name) for _ in range(2))
                if name not in found or seconds < found[name][0]:
                    found[name] = (seconds, one)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
    return {name: one for name, (_, one) in found.items()}


def peak_tflops():
    """This GPU's own: a large product in half precision."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(10):
        a @ a
    torch.cuda.synchronize()
    return 10 * 2 * 8192**3 / (time.perf_counter() - started) / 1e12


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("target/bench"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    reviews = column(options.data / "en_finefoods" / "train.csv", "review")
    texts = {name: texts_of(options.model, reviews, *asked) for name, asked in N_TOKENS.items()}
    texts["reviews"] = reviews
    folder = options.work / "gpu-inputs"
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_one in texts.items():
        (folder / f"{name}.json").write_text(json.dumps(of_one), encoding="utf-8")
    encode = tokenizer(options.model)
    lengths = {name: [len(encoded.ids) for encoded in encode.encode_batch_fast(of_one)] for name, of_one in texts.items()}
    peak = peak_tflops()
    print(f"{torch.cuda.get_device_name()}: {peak:.0f} TFLOP/s in f16; {torch.__version__}", flush=True)
    ours = [Ours(options.ours, options.model, folder, precision) for precision in ("f16", "bf16", "f32")]
    assert all("cuda" in one.setting for one in ours), [one.setting for one in ours]
    names = list(texts)
    entries = {one.name: dict.fromkeys(names, one) for one in ours}
    entries["pytorch f16"] = best(lambda batch: PyTorch(options.model, texts, "f16", batch), names)
    try:
        entries["sentence-transformers f16"] = best(lambda batch: SentenceTransformers(options.model, texts, batch), names)
    except Exception as error:  # whatever it raises, it is missing by name
        print(f"missing: sentence-transformers: {error}", file=sys.stderr)
    exact = PyTorch(options.model, texts, "f32", 256).vectors("reviews").astype(numpy.float64)
    rows = []
    samples = {}
    for entry, by_input in entries.items():
        for name in names:
            by_input[name].seconds(name)
    for _ in range(options.rounds):
        for name in names:
            for entry, by_input in entries.items():
                samples.setdefault((entry, name), []).append(by_input[name].seconds(name))
    for (entry, name), seconds in samples.items():
        median = statistics.median(seconds)
        rows.append({"entry": entry, "input": name, "texts_per_s": len(texts[name]) / median, "tokens_per_s": sum(lengths[name]) / median,
                     "tflops": giga_operations(options.model, lengths[name]) / median / 1e3, "setting": entries[entry][name].name})
    for entry, by_input in entries.items():
        ms = by_input["16 tokens"].single_ms("16 tokens")
        made = by_input["reviews"].vectors("reviews").astype(numpy.float64)
        cosines = (made * exact).sum(1) / numpy.linalg.norm(made, axis=1) / numpy.linalg.norm(exact, axis=1)
        rows.append({"entry": entry, "input": "single", "p50_ms": statistics.median(ms), "least_cosine": cosines.min(), "mean_cosine": cosines.mean()})
    for one in ours:
        one.close()
    for name in names:
        print(f"\n{name}: {len(texts[name])} texts, {sum(lengths[name])} tokens")
        for row in rows:
            if row["input"] == name:
                print(f"  {row['entry']:28} {row['texts_per_s']:10.0f} texts/s {row['tokens_per_s'] / 1e3:10.0f} k tokens/s {row['tflops']:6.1f} TFLOP/s  {row['setting']}")
    print("\none text of 16 tokens")
    for row in rows:
        if row["input"] == "single":
            print(f"  {row['entry']:28} p50 {row['p50_ms']:.2f} ms   cosine to f32 over reviews: least {row['least_cosine']:.5f}, mean {row['mean_cosine']:.5f}")
    out = options.work / "embed_gpu.json"
    out.write_text(json.dumps({"gpu": torch.cuda.get_device_name(), "peak_tflops": peak, "rows": rows}, indent=1), encoding="utf-8")
    print(f"\nwritten to {out}")


if __name__ == "__main__":
    main()
