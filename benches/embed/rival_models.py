"""Makes the rivals' models from the same weights, once: ONNX, graph-optimised ONNX, int8 of both kinds.

    python rival_models.py MODEL_FOLDER SENTENCES.json OUT_FOLDER

Each is kept in OUT_FOLDER; one that cannot be made is told on standard error, and its rival is missing from the table.
"""

import json
import os
import pathlib
import sys
import traceback

import numpy
from inputs import tokenizer

N_CALIBRATION = 200  # sentences that NNCF sees, and the least number its own documentation advises


def export(model, out):
    """transformers' BertModel with mean pooling and normalisation in the graph: `input_ids`, `attention_mask` → `vectors`."""
    import torch
    from transformers import BertModel

    class Pooled(torch.nn.Module):
        def __init__(self, bert):
            super().__init__()
            self.bert = bert

        def forward(self, input_ids, attention_mask):
            kinds = torch.zeros_like(input_ids)
            tokens = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=kinds).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
            return torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=1)

    # The eager attention is the one whose pattern ONNX Runtime's optimiser and OpenVINO both know.
    bert = BertModel.from_pretrained(model, attn_implementation="eager", add_pooling_layer=False).eval()
    ids = torch.randint(1000, 2000, (3, 17))
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        Pooled(bert), (ids, mask), str(out), input_names=["input_ids", "attention_mask"], output_names=["vectors"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "batch"}}, opset_version=17, dynamo=False)


def optimise(onnx_file, config, out):
    """ONNX Runtime's fusions for BERT; they all have to take, or the rival would not be at its best."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    made = optimize_model(
        str(onnx_file), model_type="bert", num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"],
        opt_level=0, optimization_options=FusionOptions("bert"))
    fused = made.get_fused_operator_statistics()
    layers = config["num_hidden_layers"]
    assert fused["Attention"] == layers and fused["BiasGelu"] == layers, f"the fusions did not take: {fused}"
    made.save_model_to_file(str(out))


def quantise_onnx(optimised, weights, out):
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The optimiser's own operators hide the types of what they give.
    options = {"DefaultTensorType": TensorProto.FLOAT}
    quantize_dynamic(
        str(optimised), str(out), per_channel=True, weight_type=getattr(QuantType, weights), extra_options=options)


def quantise_openvino(onnx_file, model, sentences, out):
    import nncf
    import openvino

    encode = tokenizer(model)
    texts = json.loads(sentences.read_text(encoding="utf-8"))
    texts = texts[:: max(1, len(texts) // N_CALIBRATION)][:N_CALIBRATION]

    def example(text):
        ids = numpy.array([encode.encode(text).ids], dtype=numpy.int64)
        return {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}

    made = nncf.quantize(
        openvino.convert_model(str(onnx_file)), nncf.Dataset(texts, example), model_type=nncf.ModelType.TRANSFORMER,
        subset_size=N_CALIBRATION)
    openvino.save_model(made, str(out), compress_to_fp16=False)


def once(out, make):
    """Makes a file under another name first, so that one that exists is whole."""
    if out.exists():
        return
    print(f"making {out.name}", file=sys.stderr, flush=True)
    part = out.with_name(f"part-{out.name}")
    try:
        make(part)
        if part.with_suffix(".bin").exists():
            os.replace(part.with_suffix(".bin"), out.with_suffix(".bin"))
        os.replace(part, out)
    except Exception:  # whatever a library raises, the other rivals go on
        print(f"{out.name} could not be made:\n{traceback.format_exc()}", file=sys.stderr, flush=True)


def main(model, sentences, out):
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    plain, optimised = out / "model.onnx", out / "optimised.onnx"
    once(plain, lambda part: export(model, part))
    once(optimised, lambda part: optimise(plain, config, part))
    for weights in ("QInt8", "QUInt8"):
        once(out / f"dynamic-{weights}.onnx", lambda part: quantise_onnx(optimised, weights, part))
    once(out / "nncf.xml", lambda part: quantise_openvino(plain, model, sentences, part))


if __name__ == "__main__":
    main(*(pathlib.Path(argument) for argument in sys.argv[1:4]))
