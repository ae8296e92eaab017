#!/usr/bin/env python3
"""Turns a PyTorch checkpoint (.pth, .pt, .bin) into a safetensors file that nevus reads.

    python tools/torch_to_safetensors.py resnet50-0676ba61.pth resnet50.safetensors
    python tools/torch_to_safetensors.py run.ckpt out.safetensors --key state_dict --strip model.

It needs torch and safetensors. The checkpoint is read with weights_only=True: a pickle that would run code is refused.
A state dict lies at the top of the file, or below one of the keys state_dict, model_state_dict, model, net, ema (or
--key). The prefix "module." that DataParallel puts before every name is taken away, and so is --strip. Numbers keep
their dtype; counters (num_batches_tracked) are left out. Names and shapes are printed as nevus will see them.
"""

import argparse
import os
import pathlib
import pickle
import sys
import tempfile

import torch
from safetensors.torch import save_file

KEYS = ("state_dict", "model_state_dict", "model", "net", "ema")


def state_dict(checkpoint, key):
    """The dictionary of tensors in what torch.load gave."""
    if key is not None:
        for part in key.split("."):
            if not isinstance(checkpoint, dict) or part not in checkpoint:
                known = ", ".join(map(str, checkpoint)) if isinstance(checkpoint, dict) else "no keys"
                raise SystemExit(f"the checkpoint has no {key!r}; it has {known}")
            checkpoint = checkpoint[part]
    else:
        inner = next((name for name in KEYS if isinstance(checkpoint, dict) and isinstance(checkpoint.get(name), dict)), None)
        checkpoint = checkpoint if inner is None else checkpoint[inner]
    if not isinstance(checkpoint, dict):
        raise SystemExit(f"expected a state dict, found {type(checkpoint).__name__} (hint: --key)")
    return checkpoint


def converted(state, strip):
    """The tensors by their new names."""
    tensors = {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or name.endswith("num_batches_tracked"):
            continue
        for prefix in ("module.", strip):
            if prefix and name.startswith(prefix):
                name = name[len(prefix):]
        if name in tensors:
            raise SystemExit(f"two tensors would be named {name!r} (hint: another --strip)")
        # A tensor of its own: views of one storage would be refused.
        tensors[name] = tensor.detach().cpu().clone().contiguous()
    if not tensors:
        raise SystemExit("there is no tensor in it (hint: --key)")
    broken = [name for name, t in tensors.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if broken:
        raise SystemExit(f"NaN or infinite values in {', '.join(broken[:5])}")
    return tensors


def main():
    parser = argparse.ArgumentParser(description="Turns a PyTorch checkpoint into a safetensors file.")
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--key", help="where the state dict lies: state_dict, or ema.module")
    parser.add_argument("--strip", default="", help="a prefix to take away from every name")
    parser.add_argument("--source", help="what the file's metadata say of where it came from")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    options = parser.parse_args()
    if options.output.exists() and not options.force:
        raise SystemExit(f"{options.output} is there (hint: --force)")
    try:
        checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[-1] if "Unsupported" not in str(error) else "it holds more than tensors"
        raise SystemExit(
            f"{options.checkpoint} is refused: {reason} (hint: save model.state_dict() instead of the model)"
        ) from None
    tensors = converted(state_dict(checkpoint, options.key), options.strip)
    metadata = {"source": options.source or options.checkpoint.name}
    folder = options.output.resolve().parent
    handle, unfinished = tempfile.mkstemp(prefix=".nevus-", suffix=".safetensors", dir=folder)
    os.close(handle)
    try:
        save_file(tensors, unfinished, metadata=metadata)
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, options.output)
    except BaseException:
        pathlib.Path(unfinished).unlink(missing_ok=True)
        raise
    for name, tensor in tensors.items():
        print(f"{name}  {list(tensor.shape)}  {str(tensor.dtype).removeprefix('torch.')}")
    values = sum(tensor.numel() for tensor in tensors.values())
    print(f"{len(tensors)} tensors, {values} values -> {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
