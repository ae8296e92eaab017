"""PyTorch, on the CPU or with CUDA."""

import copy
import shutil
import warnings

import torch
import torch.nn.functional as F
from torch import nn

import models
import peer

# As nevus bench trains: see `nevus bench --optimizer sgd --no-average`.
LR, MOMENTUM, DECAY = 1e-4, 0.9, 1e-4
LAYOUTS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}


def can_compile(arguments):
    """Whether torch.compile is worth a try: on the CPU it needs a C++ compiler, and always minutes."""
    if arguments.quick or not hasattr(torch, "compile"):
        return False
    return arguments.device == "cuda" or any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def wait(device):
    """Until the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def inference(module, x, arguments, resident):
    """Candidates for the forward of `module` on x. Where they are not `resident`, x comes from host memory and the
    result goes back there.
    """
    device = arguments.device

    def eager(layout, apply=None):
        placed = copy.deepcopy(module).eval().to(device, memory_format=layout)
        there = x.to(device, memory_format=layout)
        function = apply(placed, there) if apply else placed

        def run():
            with torch.inference_mode():
                y = function(there if resident else x.to(device, memory_format=layout))
                if not resident:
                    return y.cpu().shape
                wait(device)
                return y.shape

        return run

    def frozen(placed, example):
        with torch.no_grad():
            return torch.jit.optimize_for_inference(torch.jit.trace(placed, example))

    def compiled(placed, _):
        return torch.compile(placed, options={"freezing": True})

    for name, layout in LAYOUTS.items():
        yield name, lambda layout=layout: eager(layout)
        yield f"{name}, frozen", lambda layout=layout: eager(layout, frozen)
    if can_compile(arguments):
        yield "compiled", lambda: eager(torch.channels_last, compiled)


def training(work, arguments):
    """Candidates for a step: forward, backward, SGD with momentum."""
    device = arguments.device
    x = models.image(work)
    generator = torch.Generator().manual_seed(models.SEED)
    if work["model"] == "unet":
        target = (torch.rand(work["batch"], 1, *work["size"], generator=generator) > 0.5).float()
        loss_of = F.binary_cross_entropy_with_logits
    else:
        target = torch.randint(1000, (work["batch"],), generator=generator)
        loss_of = F.cross_entropy

    def step(layout, compile_it=False):
        module = models.model(work).train().to(device, memory_format=layout)
        optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY, fused=True)
        function = torch.compile(module) if compile_it else module

        def run():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(function(x.to(device, memory_format=layout)), target.to(device))
            loss.backward()
            optimizer.step()
            # Waits for the device.
            if not torch.isfinite(loss).item():
                raise RuntimeError("the loss is not finite")
            return ()

        return run

    for name, layout in LAYOUTS.items():
        yield name, lambda layout=layout: step(layout)
    if can_compile(arguments):
        yield "compiled", lambda: step(torch.channels_last, True)


def gradient(work, arguments):
    """Candidates for one gradient of a convolution; its operands stay on the device."""
    device = arguments.device
    torch.manual_seed(models.SEED)
    ci, co, kernel = work["ci"], work["co"], work["kernel"]
    x = torch.randn(1, ci, *work["size"])
    weight = torch.randn(*((ci, co) if work["transposed"] else (co, ci)), kernel, kernel)
    dy = torch.randn(1, co, *work["out"])
    pair = lambda value: [value, value]
    mask = [work["part"] == "backward_data", work["part"] == "backward_weight", False]

    def make(layout):
        operands = [value.to(device, memory_format=layout) for value in (dy, x, weight)]

        def run():
            gradients = torch.ops.aten.convolution_backward(
                *operands, None, pair(work["stride"]), pair(work["padding"]), [1, 1], work["transposed"], [0, 0], 1, mask
            )
            wait(device)
            return next(value for value in gradients if value is not None).shape

        return run

    for name, layout in LAYOUTS.items():
        yield name, lambda layout=layout: make(layout)


def layer(work):
    """A convolution as a module."""
    kind = nn.ConvTranspose2d if work["transposed"] else nn.Conv2d
    return kind(work["ci"], work["co"], work["kernel"], work["stride"], work["padding"])


def prepare(work, arguments):
    """Whatever is fastest for the work."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.benchmark = True
    # All is f32: no rounding to TF32.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise peer.Unsupported("this PyTorch has no CUDA device")
    if work["kind"] == "convolution" and work["part"] != "forward":
        candidates = gradient(work, arguments)
    elif work["kind"] == "convolution":
        candidates = inference(layer(work), torch.randn(1, work["ci"], *work["size"]), arguments, resident=True)
    elif work["mode"] == "train":
        candidates = training(work, arguments)
    else:
        candidates = inference(models.model(work), models.image(work), arguments, resident=False)
    run, settings = peer.fastest(candidates)
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else "CPU"
    return peer.Prepared(run, torch.__version__, device, settings)


if __name__ == "__main__":
    peer.main("torch", prepare)
