"""The networks that are compared, in PyTorch, with random weights."""

import pathlib

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

SEED = 1


class Block(nn.Module):
    def __init__(self, ci, co):
        super().__init__()
        self.conv1 = nn.Conv2d(ci, co, 3, padding=1)
        self.conv2 = nn.Conv2d(co, co, 3, padding=1)

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class Up(Block):
    def __init__(self, ci, co):
        super().__init__(2 * co, co)
        self.upconv = nn.ConvTranspose2d(ci, co, 2, 2)

    def forward(self, x, skip):
        return super().forward(torch.cat([self.upconv(x), skip], 1))


class UNet(nn.Module):
    """src/models/unet.rs in PyTorch: four levels above the bottom, no norms, logits out."""

    def __init__(self, base, ci=3, co=1):
        super().__init__()
        width = [base << level for level in range(5)]
        self.down = nn.ModuleList([Block(ci if at == 0 else width[at - 1], width[at]) for at in range(4)])
        self.bottom = Block(width[3], width[4])
        self.up = nn.ModuleList([Up(width[4 - at], width[3 - at]) for at in range(4)])
        self.head = nn.Conv2d(base, co, 1)

    def forward(self, x):
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for block, skip in zip(self.up, reversed(skips)):
            x = block(x, skip)
        return self.head(x)


def model(work):
    """The work's network."""
    torch.manual_seed(SEED)
    if work["model"] == "resnet50":
        return torchvision.models.resnet50(weights=None)
    return UNet(work["base"])


def image(work):
    """Random photographs of the work's batch and size."""
    return torch.rand(work["batch"], 3, *work["size"], generator=torch.Generator().manual_seed(SEED))


def onnx_file(work, folder):
    """The work's network as ONNX, in `folder`; exported where it is not there yet."""
    path = pathlib.Path(folder) / f"{work['name']}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with torch.no_grad():
            torch.onnx.export(
                model(work).eval(), (image(work),), str(part), input_names=["in0"], output_names=["out0"], dynamo=False
            )
        part.rename(path)
    return path
