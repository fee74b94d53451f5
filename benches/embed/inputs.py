"""The texts of `make bench-embed`, their token counts, and the arithmetic the model needs for them."""

import csv
import json

from tokenizers import Tokenizer

MAX_TOKENS = 256  # what all-MiniLM-L6-v2 was trained to read; every entry cuts there
SINGLE_TOKENS = 20
N_SINGLE = 50
N_LONG = 400

# Slices of the first two, whatever share of them a run takes: short enough for many repeats.
CALIBRATION = {"sentences": ("sentences_few", 12), "long": ("long_few", 4)}


def tokenizer(model):
    """The model's own, fast, without padding, cut at MAX_TOKENS."""
    made = Tokenizer.from_file(str(model / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(MAX_TOKENS)
    return made


def column(file, name):
    with open(file, encoding="utf-8", newline="") as rows:
        return [row[name] for row in csv.DictReader(rows)]


def prepare(model, data, folder, every):
    """Writes NAME.json for each input and returns {name: token counts}; of sentences and reviews each `every`th is taken."""
    sentences = column(data / "en_amazon_snippets" / "snippets.csv", "text")
    reviews = column(data / "en_finefoods" / "train.csv", "review")
    reviews = reviews[:: max(1, len(reviews) // N_LONG)][:N_LONG]
    encode = tokenizer(model)

    def count(texts):
        return [len(encoded.ids) for encoded in encode.encode_batch_fast(texts)]

    short = [text for text, n in zip(sentences, count(sentences)) if n == SINGLE_TOKENS]
    inputs = {"all_sentences": sentences, "single": short[:N_SINGLE]}
    for name, texts in {"sentences": sentences, "long": reviews}.items():
        few, step = CALIBRATION[name]
        inputs |= {name: texts[::every], few: texts[::step]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in inputs.items():
        (folder / f"{name}.json").write_text(json.dumps(texts), encoding="utf-8")
    return {name: count(texts) for name, texts in inputs.items()}


def giga_operations(model, lengths):
    """Multiplications and additions of the encoder for texts of these lengths, in billions, padding not counted."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    linear = 2 * (4 * hidden * hidden + 2 * hidden * inner)
    a_layer = sum(n * linear + 4 * hidden * n * n for n in lengths)
    return config["num_hidden_layers"] * a_layer / 1e9
