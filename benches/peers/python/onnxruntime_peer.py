"""ONNX Runtime on the CPU: the forward of whole networks."""

import warnings

import onnxruntime

import models
import peer


def prepare(work, arguments):
    """A session with every graph optimisation."""
    if work["kind"] != "model" or work["mode"] != "forward":
        raise peer.Unsupported("only the forward of whole networks is compared")
    warnings.filterwarnings("ignore")
    path = models.onnx_file(work, arguments.models)
    x = models.image(work).numpy()

    def make(spinning):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda: session.run(["out0"], {"in0": x})[0].shape

    run, settings = peer.fastest([("spinning", lambda: make("1")), ("not spinning", lambda: make("0"))])
    return peer.Prepared(run, onnxruntime.__version__, "CPU", settings)


if __name__ == "__main__":
    peer.main("onnxruntime", prepare)
