"""Records the vectors that sentence-transformers gives, for the tests of src/embed/bert.

Run by a maintainer, in an environment with torch, sentence-transformers and transformers; not by `make test`:

    python tests/reference/make_reference.py models FOLDER_OF_MINILM FOLDER_OF_E5
    python tests/reference/make_reference.py tiny

`models` embeds texts.json with the two real models into minilm.safetensors and e5.safetensors. `tiny` writes one small
model of random weights for each family under tiny/, in as many layouts, with the vectors transformers gives for it.
"""

import hashlib
import json
import pathlib
import platform
import shutil
import sys
import tempfile

import numpy
import sentence_transformers
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

HERE = pathlib.Path(__file__).parent


def versions():
    return {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "sentence_transformers": sentence_transformers.__version__,
    }


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def sentence_layout(folder, pooling, normalise=True):
    """Writes the files that make a sentence-transformers model of a transformers one."""
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")][: 3 if normalise else 2]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(parts)
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", pooling)


def special_tokens(**tokens):
    return {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}


# --- the real models ------------------------------------------------------------------------------------------------


def complete_e5(source, target):
    """The folder has only config.json, tokenizer.json and the weights: add what sentence-transformers needs."""
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copy(source / name, target / name)
    names = special_tokens(
        bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=512,
    )
    write_json(target / "tokenizer_config.json", names)
    hidden = json.loads((source / "config.json").read_text())["hidden_size"]
    sentence_layout(target, {"embedding_dimension": hidden, "pooling_mode": "mean", "include_prompt": True})


def record(name, folder, weights, prefix):
    texts = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    prefixed = [prefix + text for text in texts]
    # One at a time: padding would change the last bits.
    vectors = model.encode(prefixed, batch_size=1, convert_to_tensor=True, show_progress_bar=False)
    limit = model.max_seq_length
    whole = [len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in prefixed]
    tensors = {
        "vectors": vectors.to(torch.float32).contiguous(),
        "n_tokens": torch.tensor([min(count, limit) for count in whole], dtype=torch.int32),
        "truncated": torch.tensor([count > limit for count in whole], dtype=torch.uint8),
    }
    digest = hashlib.sha256((weights / "model.safetensors").read_bytes()).hexdigest()
    about = versions() | {"weights_sha256": digest, "prefix": prefix, "max_tokens": str(limit)}
    save_file(tensors, HERE / f"{name}.safetensors", metadata=about)
    print(name, tuple(vectors.shape), "tokens", sum(tensors["n_tokens"]).item(), "cut", sum(tensors["truncated"]).item())


def record_models(minilm, e5):
    record("minilm", minilm, minilm, "")
    with tempfile.TemporaryDirectory() as scratch:
        complete_e5(e5, pathlib.Path(scratch))
        record("e5", pathlib.Path(scratch), e5, "query: ")


# --- one tiny model of each family ----------------------------------------------------------------------------------

TINY_TEXTS = [
    "", " ", "a", "hello world", "Hello, WORLD!", "the cat sat on the mat.", "don't", "12 34 5", "x" * 30, "x" * 120,
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3, "é à ü", "好", "😀", "\u202eabc\u202c", "\u0000\u0007",
    "<pad> [PAD] in the text", "the the the the",
]


def word_pieces(specials):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["the", "cat", "hello", "world", "##at", "in", "text"]
    pieces = specials + list(letters) + ["##" + letter for letter in letters] + list(".,!?'[]<>") + words
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def write_tokenizer(folder, first, last, unknown, padding, specials):
    vocabulary = word_pieces(specials)
    added = [
        {"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for token in specials
    ]
    single = [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": last, "type_id": 0}}]
    pair = single + [{"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": last, "type_id": 0}}]
    ids = {token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]} for token in (first, last)}
    write_json(folder / "tokenizer.json", {
        "version": "1.0",
        # Wrong on purpose: the model's own length decides, not this one.
        "truncation": {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": ids},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
    return vocabulary


def tiny_model(family, vocabulary_size, activation):
    shape = dict(vocab_size=vocabulary_size, max_position_embeddings=48)
    if family == "distilbert":
        config = transformers.DistilBertConfig(dim=20, n_layers=2, n_heads=2, hidden_dim=28, activation=activation, **shape)
        return transformers.DistilBertModel(config)
    shape |= dict(hidden_size=20, num_hidden_layers=2, num_attention_heads=2, intermediate_size=28,
                  hidden_act=activation, layer_norm_eps=1e-5)
    if family == "bert":
        return transformers.BertModel(transformers.BertConfig(**shape, pad_token_id=0), add_pooling_layer=False)
    if family == "roberta":
        config = transformers.RobertaConfig(**shape, type_vocab_size=1, pad_token_id=1)
        return transformers.RobertaModel(config, add_pooling_layer=False)
    config = transformers.XLMRobertaConfig(**shape, type_vocab_size=1, pad_token_id=1)
    return transformers.XLMRobertaModel(config, add_pooling_layer=False)


def randomise(model, dtype):
    """Wide random weights, so that every part matters, rounded to what the file will hold."""
    source = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=source) * 0.3
            weight.copy_((noise + ("LayerNorm.weight" in name or "layer_norm.weight" in name)).to(dtype).float())
    return model.eval()


def save_weights(folder, model, dtype, prefix, old_norm_names, n_shards):
    tensors = {}
    for name, weight in model.named_parameters():
        if old_norm_names and "LayerNorm" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        tensors[prefix + name] = weight.detach().to(dtype).contiguous().clone()
    if n_shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return
    names, where = sorted(tensors), {}
    for shard in range(n_shards):
        file = f"model-{shard + 1:05}-of-{n_shards:05}.safetensors"
        part = {name: tensors[name] for name in names[shard::n_shards]}
        save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})


def embed_tiny(folder, model, tokenizer, max_tokens, pooling, prefix):
    vectors, counts, truncated = [], [], []
    for text in TINY_TEXTS:
        whole = len(tokenizer(prefix + text, verbose=False)["input_ids"])
        inputs = tokenizer(prefix + text, truncation=True, max_length=max_tokens, return_tensors="pt",
                           return_token_type_ids=False)
        with torch.no_grad():
            hidden = model(**inputs).last_hidden_state[0]
        vectors.append(hidden[0] if pooling == "cls" else hidden.mean(0))
        counts.append(inputs["input_ids"].shape[1])
        truncated.append(whole > max_tokens)
    return torch.stack(vectors), counts, truncated


def record_tiny(family, specials, layout):
    folder = HERE / "tiny" / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    first, padding, last, unknown = specials
    vocabulary = write_tokenizer(folder, first, last, unknown, padding,
                                 [padding, first, last, unknown] if family in ("bert", "distilbert") else specials)
    dtype, prefix = layout["dtype"], layout.get("prefix", "")
    model = randomise(tiny_model(family, len(vocabulary), layout["activation"]), dtype)
    config = json.loads(model.config.to_json_string(use_diff=False))
    needed = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
              "hidden_act", "layer_norm_eps", "dim", "n_layers", "n_heads", "hidden_dim", "activation", "pad_token_id",
              "max_position_embeddings", "type_vocab_size")
    write_json(folder / "config.json", {name: config[name] for name in needed if name in config})
    save_weights(folder, model, dtype, layout.get("weight_prefix", ""), layout.get("old_norm_names", False),
                 layout.get("n_shards", 1))
    if "sentence" in layout:
        layout["sentence"](folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), cls_token=first, pad_token=padding, sep_token=last, unk_token=unknown)
    pooling = layout.get("pooling", "mean")
    vectors, counts, truncated = embed_tiny(folder, model, tokenizer, layout["max_tokens"], pooling, prefix)
    if layout.get("normalised", True):
        vectors = torch.nn.functional.normalize(vectors)
    tensors = {"vectors": vectors.contiguous(), "n_tokens": torch.tensor(counts, dtype=torch.int32),
               "truncated": torch.tensor(truncated, dtype=torch.uint8)}
    about = versions() | {"prefix": prefix, "max_tokens": str(layout["max_tokens"])}
    save_file(tensors, folder / "expected.safetensors", metadata=about)
    print("tiny", family, tuple(vectors.shape), counts)


def roberta_sentence_files(folder):
    sentence_layout(folder, {"word_embedding_dimension": 20, "pooling_mode_cls_token": True,
                             "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}, normalise=False)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 40, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json",
               {"prompts": {"query": "hello: ", "document": ""}, "default_prompt_name": "query"})


def distilbert_sentence_files(folder):
    sentence_layout(folder, {"embedding_dimension": 20, "pooling_mode": "mean", "include_prompt": True})
    write_json(folder / "sentence_distilbert_config.json", {"max_seq_length": 32, "do_lower_case": True})


def record_all_tiny():
    write_json(HERE / "tiny" / "texts.json", TINY_TEXTS)
    brackets, angles = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"], ["<s>", "<pad>", "</s>", "<unk>"]
    record_tiny("bert", brackets, dict(dtype=torch.float32, activation="gelu", max_tokens=48, weight_prefix="bert.",
                                       old_norm_names=True))
    record_tiny("roberta", angles, dict(dtype=torch.float16, activation="gelu_new", max_tokens=40, pooling="cls",
                                        weight_prefix="roberta.", normalised=False, prefix="hello: ",
                                        sentence=roberta_sentence_files))
    record_tiny("xlm-roberta", angles, dict(dtype=torch.float32, activation="relu", max_tokens=46, n_shards=3))
    record_tiny("distilbert", brackets, dict(dtype=torch.bfloat16, activation="gelu", max_tokens=32,
                                             weight_prefix="distilbert.", sentence=distilbert_sentence_files))


if __name__ == "__main__":
    if sys.argv[1:2] == ["tiny"]:
        record_all_tiny()
    elif sys.argv[1:2] == ["models"] and len(sys.argv) == 4:
        record_models(*map(pathlib.Path, sys.argv[2:]))
    else:
        sys.exit(__doc__)
