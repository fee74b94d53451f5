"""The rivals' own ways of running padded batches. A setting is a dict; its axes are what calibration tries, best first guess first.

`run_all(lots, keep)` takes `(lot, ids, mask)` and calls `keep(lot, vectors)`; `run_one(ids, mask)` returns the vectors.
"""

from concurrent.futures import ThreadPoolExecutor

BATCHES = [32, 8, 16, 64]
# One call at a time on two threads, or two calls at a time on one thread each.
CALLERS = [1, 2]


class Engine:
    DIMENSION = 384
    AXES = {}
    DEFAULT = {}

    def run_all(self, lots, keep):
        if self.callers == 1:
            for lot, ids, mask in lots:
                keep(lot, self.run_one(ids, mask))
            return
        with ThreadPoolExecutor(self.callers) as pool:
            for lot, made in pool.map(lambda lot: (lot[0], self.run_one(*lot[1:])), lots):
                keep(lot, made)


class OpenVino(Engine):
    AXES = {"mode": ["latency", "throughput", "2 streams"], "batch": BATCHES, "inner": ["f32", "bf16"]}
    DEFAULT = {"mode": "latency", "batch": 32, "inner": "f32"}

    def __init__(self, precision, model, rivals, setting):
        import openvino

        file = rivals / ("nncf.xml" if precision == "int8" else "model.onnx")
        inner = setting["inner"] if precision == "int8" else precision
        hints = {"PERFORMANCE_HINT": "THROUGHPUT" if setting["mode"] == "throughput" else "LATENCY"}
        if setting["mode"] == "2 streams":
            hints["NUM_STREAMS"] = "2"
        options = hints | {"INFERENCE_NUM_THREADS": "2", "INFERENCE_PRECISION_HINT": inner}
        compiled = openvino.Core().compile_model(str(file), "CPU", options)
        self._queue = None if setting["mode"] == "latency" else openvino.AsyncInferQueue(compiled)
        self._request = compiled.create_infer_request()

    def run_one(self, ids, mask):
        return self._request.infer({0: ids, 1: mask}, share_inputs=True)[0]

    def run_all(self, lots, keep):
        if self._queue is None:
            for lot, ids, mask in lots:
                keep(lot, self.run_one(ids, mask))
            return
        self._queue.set_callback(lambda request, lot: keep(lot, request.get_output_tensor(0).data))
        for lot, ids, mask in lots:
            self._queue.start_async({0: ids, 1: mask}, userdata=lot)
        self._queue.wait_all()


class OnnxRuntime(Engine):
    AXES = {"callers": CALLERS, "spinning": ["on", "off"], "weights": ["QInt8", "QUInt8"], "batch": BATCHES}
    DEFAULT = {"callers": 1, "spinning": "on", "weights": "QInt8", "batch": 32}

    def __init__(self, precision, model, rivals, setting):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        self.callers = setting["callers"]
        options.intra_op_num_threads = 2 // self.callers
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if setting["spinning"] == "on" else "0")
        file = rivals / (f"dynamic-{setting['weights']}.onnx" if precision == "int8" else "optimised.onnx")
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run_one(self, ids, mask):
        return self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


class PyTorch(Engine):
    AXES = {"callers": CALLERS, "bf16": ["weights", "autocast"], "batch": BATCHES}
    DEFAULT = {"callers": 1, "bf16": "weights", "batch": 32}

    def __init__(self, precision, model, rivals, setting):
        import torch
        from transformers import BertModel

        self._torch, self.callers = torch, setting["callers"]
        converted = precision == "bf16" and setting["bf16"] == "weights"
        self._autocast = precision == "bf16" and not converted
        dtype = torch.bfloat16 if converted else torch.float32
        self._bert = BertModel.from_pretrained(model, dtype=dtype, add_pooling_layer=False).eval()

    def run_one(self, ids, mask):
        torch = self._torch
        torch.set_num_threads(2 // self.callers)  # the caller's own, hence here
        ids, mask = torch.from_numpy(ids), torch.from_numpy(mask)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._autocast):
            tokens = self._bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            weights = mask.unsqueeze(-1).float()
            pooled = (tokens * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(pooled, dim=1).numpy()


ENGINES = {"openvino": OpenVino, "onnxruntime": OnnxRuntime, "pytorch": PyTorch}
