"""The works that are compared, as ../works.json names them. Only the standard library."""

import json
import pathlib

FILE = pathlib.Path(__file__).resolve().parent.parent / "works.json"
PARTS = ("forward", "backward_data", "backward_weight")
PART_TITLES = {"forward": "forward", "backward_data": "backward data", "backward_weight": "backward weight"}


def groups():
    """Works by group, in the table's order: a model's mode alone, a convolution's three computations together.

    A work is a dict with `name`, `title`, `kind` ("model" or "convolution"), `gflop`, `output` (the shape of what a
    forward gives, empty for steps and gradients), and what the file says of it; a convolution's also has `part`.
    """
    listed = json.loads(FILE.read_text(encoding="utf-8"))
    result = [[dict(model, kind="model")] for model in listed["models"]]
    for layer in listed["convolutions"]:
        # A transposed convolution meets every pixel of its input with the whole kernel, a convolution of its output.
        height, width = layer["size"] if layer["transposed"] else layer["out"]
        gflop = 2e-9 * layer["ci"] * layer["co"] * layer["kernel"] ** 2 * height * width
        group = []
        for part in PARTS:
            output = [1, layer["co"], *layer["out"]] if part == "forward" else []
            group.append(
                dict(
                    layer,
                    kind="convolution",
                    part=part,
                    name=f"{layer['name']}.{part}",
                    title=f"{layer['title']}, {PART_TITLES[part]}",
                    gflop=gflop,
                    output=output,
                )
            )
        result.append(group)
    return result


def find(name):
    """The work of this name; KeyError names those there are."""
    known = {work["name"]: work for group in groups() for work in group}
    if name not in known:
        raise KeyError(f"no work is called {name!r}, expected one of {', '.join(known)}")
    return known[name]
