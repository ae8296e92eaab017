"""ncnn, on the CPU or on a Vulkan adapter: the forward of whole networks."""

import importlib.metadata
import pathlib
import tempfile
import warnings

import ncnn
import numpy
import pnnx

import models
import peer


def converted(work, folder):
    """The work's network in ncnn's two files, in f32; converted by pnnx where they are not there yet."""
    folder = pathlib.Path(folder).resolve()
    param, binary = folder / f"{work['name']}.ncnn.param", folder / f"{work['name']}.ncnn.bin"
    if not (param.exists() and binary.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        # pnnx leaves a dozen files beside those that are wanted.
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            pnnx.export(models.model(work), f"{scratch}/model.pt", models.image(work), fp16=False)
            pathlib.Path(scratch, "model.ncnn.bin").rename(binary)
            pathlib.Path(scratch, "model.ncnn.param").rename(param)
    return param, binary


def adapter(wanted):
    """The number and name of the Vulkan adapter to use."""
    names = [ncnn.get_gpu_info(at).device_name() for at in range(ncnn.get_gpu_count())]
    if not names:
        raise peer.Unsupported("ncnn sees no Vulkan adapter")
    # What lavapipe puts in parentheses is the vectors it compiles for, which are each program's own.
    wanted_model = (wanted or "").split(" (")[0]
    for at, name in enumerate(names):
        model = name.split(" (")[0]
        if wanted_model in model or model in wanted_model:
            return at, name
    raise peer.Unsupported(f"ncnn sees no Vulkan adapter {wanted!r}, only {', '.join(names)}")


def prepare(work, arguments):
    """The fastest of f32 and of 16-bit formats, which are ncnn's own choice where it may."""
    if work["kind"] != "model" or work["mode"] != "forward":
        raise peer.Unsupported("ncnn computes forwards only, and of single layers none is compared")
    warnings.filterwarnings("ignore")
    param, binary = converted(work, arguments.models)
    x = ncnn.Mat(numpy.ascontiguousarray(models.image(work).numpy()[0])).clone()
    vulkan = arguments.device == "vulkan"
    device, name = adapter(arguments.adapter) if vulkan else (None, "CPU")

    def make(narrow):
        net = ncnn.Net()
        net.opt.num_threads = arguments.threads
        net.opt.use_vulkan_compute = vulkan
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            setattr(net.opt, option, narrow)
        if vulkan:
            net.set_vulkan_device(device)
        if net.load_param(str(param)) != 0 or net.load_model(str(binary)) != 0:
            raise RuntimeError(f"ncnn cannot load {param}")

        def run():
            with net.create_extractor() as extractor:
                extractor.input("in0", x)
                code, y = extractor.extract("out0")
                if code != 0:
                    raise RuntimeError(f"ncnn's extract gave {code}")
                # A batch of one is no dimension of ncnn's.
                return (1, *numpy.array(y).shape)

        return run

    run, settings = peer.fastest([("f32", lambda: make(False)), ("16-bit where it may", lambda: make(True))])
    return peer.Prepared(run, importlib.metadata.version("ncnn"), name, settings)


if __name__ == "__main__":
    peer.main("ncnn", prepare)
