"""Runs the same works in nevus and in its peers, by turns, and writes one table: see README.md.

Only the standard library. `tools/compare_peers` installs the peers and calls this.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "python"))

import processes  # noqa: E402
import table  # noqa: E402
import works  # noqa: E402
from processes import Failed, Unsupported  # noqa: E402

PYTHON = {
    "torch": ("torch_peer.py", "cpu", ["torch", "torchvision"]),
    "torch-cuda": ("torch_peer.py", "cuda", ["torch", "torchvision"]),
    "onnxruntime": ("onnxruntime_peer.py", "cpu", ["onnxruntime", "torch", "torchvision", "onnx"]),
    "ncnn": ("ncnn_peer.py", "cpu", ["ncnn", "torch", "torchvision", "numpy", "pnnx"]),
    "ncnn-vulkan": ("ncnn_peer.py", "vulkan", ["ncnn", "torch", "torchvision", "numpy", "pnnx"]),
}
# Peers that are programs of their own, by how each is told which adapter to take.
RUST = {
    "burn": lambda adapter: f"{adapter['device_type']}:{adapter['number']}",
    "meganeura": lambda adapter: str(adapter["ids"][1]),
}
# A pause after every turn, so that threads that still spin have gone to sleep when the next one begins.
PAUSE_S = 0.3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nevus", type=pathlib.Path, required=True, metavar="FILE", help="the program")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR", help="table.md, table.json, logs/")
    parser.add_argument("--peers", default=",".join(table.TITLES))
    parser.add_argument("--works", help="parts of works' names, separated by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=2, help="repetitions of a round")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--device", help="nevus's --device; the other Vulkan peers take the same adapter")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    for peer in RUST:
        parser.add_argument(f"--{peer}", type=pathlib.Path, metavar="FILE", help=f"the program of benches/peers/{peer}")
    parser.add_argument("--models", type=pathlib.Path, metavar="DIR", help="where exported models are kept")
    parser.add_argument("--targets", type=pathlib.Path, default=HERE / "targets.json")
    parser.add_argument("--prepare-timeout", type=float, default=1200, metavar="S", help="for a peer to get ready")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="for a round of a peer")
    parser.add_argument("--short-tuning", action="store_true", help="without what takes a peer minutes to tune")
    parser.add_argument("--quick", action="store_true", help="two works, two rounds, short tuning")
    given = parser.parse_args()
    if given.quick:
        given.works = given.works or "resnet50.forward,conv3x3-64-56"
        given.rounds, given.repeats = min(given.rounds, 2), 1
        given.short_tuning = True
    if given.rounds < 1 or given.repeats < 1 or given.threads < 1:
        parser.error("--rounds, --repeats and --threads must be at least 1")
    return given


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def wanted(parts):
    """The groups of works that `parts` name."""
    groups = works.groups()
    if not parts:
        return groups
    parts = parts.split(",")
    names = [work["name"] for group in groups for work in group]
    for part in parts:
        if not any(part in name for name in names):
            raise SystemExit(f"compare: no work has {part!r} in its name, expected a part of one of {', '.join(names)}")
    chosen = [[work for work in group if any(part in work["name"] for part in parts)] for group in groups]
    return [group for group in chosen if group]


def missing(peer, given):
    """Why a peer cannot run here, or None."""
    if peer == "nevus":
        return None
    if peer in RUST:
        program = getattr(given, peer)
        return None if program and program.exists() else f"its program is not built (tools/compare_peers --peers …,{peer})"
    lacking = [name for name in PYTHON[peer][2] if not importable(given.python, name)]
    if lacking:
        return f"{pathlib.Path(given.python).name} has no {', '.join(lacking)}"
    if peer == "torch-cuda":
        code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
        if subprocess.run([given.python, "-c", code], capture_output=True, check=False).returncode != 0:
            return "PyTorch sees no CUDA device"
    return None


def importable(python, name):
    """Whether a Python has a package, by its finder alone: importing PyTorch takes seconds."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def command(peer, work, given, adapter):
    """How a peer is started at a work."""
    if peer in RUST:
        return [str(getattr(given, peer)), work["name"], "--adapter", RUST[peer](adapter)]
    script, device, _ = PYTHON[peer]
    line = [given.python, str(HERE / "python" / script), work["name"], "--threads", str(given.threads)]
    line += ["--device", device, "--adapter", adapter["name"], "--models", str(given.models or given.out / "models")]
    return line + (["--quick"] if given.short_tuning else [])


def environment(given):
    """Every library's threads, and no bytecode beside the scripts."""
    count = str(given.threads)
    return dict(os.environ, OMP_NUM_THREADS=count, MKL_NUM_THREADS=count, PYTHONDONTWRITEBYTECODE="1")


class Comparison:
    """One run: what is compared, and what came of it so far."""

    def __init__(self, given):
        self.given = given
        self.logs = given.out / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.nevus = processes.Nevus(given.nevus, given.device, self.logs)
        self.children = {}
        self.targets = json.loads(given.targets.read_text(encoding="utf-8"))
        asked = given.peers.split(",")
        for peer in asked:
            if peer not in table.TITLES:
                raise SystemExit(f"compare: no peer is called {peer!r}, expected some of {', '.join(table.TITLES)}")
        left_out = {peer: reason for peer in asked if (reason := missing(peer, given))}
        for peer, reason in left_out.items():
            say(f"{table.TITLES[peer]} is left out: {reason}")
        self.report = {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": commit(),
            "machine": {"cpu": processor(), "cores": cores(), "system": f"{platform.system()} {platform.machine()}"},
            "adapter": self.nevus.adapter(),
            "threads": given.threads,
            "rounds": given.rounds,
            "repeats": given.repeats,
            "peers": [peer for peer in asked if peer not in left_out],
            "left_out": left_out,
            "ended": "",
            "works": [],
        }

    def group(self, group):
        """Compares one group of works."""
        cells = {work["name"]: {} for work in group}
        for work in group:
            self.report["works"].append(dict(work, cells=cells[work["name"]]))
        own = "nevus" in self.report["peers"]
        if own:
            # Fills the caches of compiled pipelines; no time counts.
            self.own_turn(group, 1, cells, keep=False)
        for peer in self.report["peers"]:
            for work in group:
                if peer != "nevus":
                    self.prepare(peer, work, cells)
        for turn in range(self.given.rounds):
            order = self.report["peers"][turn % len(self.report["peers"]) :]
            order += self.report["peers"][: turn % len(self.report["peers"])]
            for peer in order:
                if peer == "nevus":
                    self.own_turn(group, self.given.repeats, cells, keep=True)
                for work in group:
                    self.turn(peer, work, cells)
            self.write()
        self.close()

    def prepare(self, peer, work, cells):
        say(f"{work['title']}: {table.TITLES[peer]} gets ready")
        log = self.logs / f"{peer}.{work['name']}.log"
        child = processes.Child(command(peer, work, self.given, self.report["adapter"]), log, environment(self.given))
        self.children[peer, work["name"]] = child
        try:
            ready = child.ready(self.given.prepare_timeout)
        except Failed as failure:
            del self.children[peer, work["name"]]
            key = "unsupported" if isinstance(failure, Unsupported) else "failed"
            cells[work["name"]][peer] = {key: str(failure)}
            say(f"  {failure}")
            return
        kept = {key: ready[key] for key in ("version", "device", "threads", "settings", "prepare_s")}
        cells[work["name"]][peer] = dict(kept, ms=[])
        say(f"  {ready['settings']}, after {ready['prepare_s']:.0f} s")

    def turn(self, peer, work, cells):
        child = self.children.get((peer, work["name"]))
        if child is None:
            return
        cell = cells[work["name"]][peer]
        try:
            cell["ms"] += child.times(self.given.repeats, self.given.timeout)
        except Failed as failure:
            del self.children[peer, work["name"]]
            cell["failed"] = str(failure)
            say(f"{work['title']}: {table.TITLES[peer]}: {failure}")
        summarise(cell, work)
        time.sleep(PAUSE_S)

    def own_turn(self, group, repeats, cells, keep):
        cell_of = {work["name"]: cells[work["name"]].setdefault("nevus", {"ms": []}) for work in group}
        if any("failed" in cell for cell in cell_of.values()):
            return
        say(f"{group[0]['title'] if len(group) == 1 else group[0]['layer']}: nevus")
        try:
            found = self.nevus.times(group, repeats, self.given.timeout)
        except Failed as failure:
            found, reason = {}, str(failure)
            say(f"  {reason}")
        else:
            reason = "the bench gave no row for it"
        for work in group:
            cell = cell_of[work["name"]]
            if work["name"] not in found:
                cell["failed"] = reason
            elif keep:
                milliseconds, cell["settings"] = found[work["name"]]
                cell["ms"].append(milliseconds)
            summarise(cell, work)
        time.sleep(PAUSE_S)

    def close(self):
        for child in self.children.values():
            child.close()
        self.children.clear()

    def write(self):
        """Writes the table as it stands."""
        for work in self.report["works"]:
            others = (peer for peer in work["cells"] if peer != "nevus")
            work["ratios"] = {peer: value for peer in others if (value := table.ratio(work, peer)) is not None}
        text = table.markdown(self.report, self.targets)
        for name, content in (("table.md", text), ("table.json", json.dumps(self.report, indent=1, ensure_ascii=False) + "\n")):
            part = self.given.out / f"{name}.part"
            part.write_text(content, encoding="utf-8")
            part.replace(self.given.out / name)
        return text


def summarise(cell, work):
    """Best and median of what a cell has so far. A peer that failed on the way has no figure."""
    if "failed" in cell:
        cell.pop("ms_min", None)
    elif cell["ms"]:
        least = min(cell["ms"])
        cell.update(ms_min=least, ms_median=statistics.median(cell["ms"]), gflops=work["gflop"] / least * 1e3)


def commit():
    """The commit of this tree, with a word where it has changes."""
    show = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        return subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor():
    """The processor's name."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    given = arguments()
    groups = wanted(given.works)
    # However it is asked to end, it still ends the peers and writes what there is.
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    given.out = given.out.resolve()
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        comparison = Comparison(given)
    except Failed as failure:
        raise SystemExit(f"compare: {given.nevus}: {failure}") from None
    code = 0
    try:
        for group in groups:
            comparison.group(group)
    except KeyboardInterrupt:
        comparison.report["ended"] = " Interrupted: the last works have fewer rounds."
        code = 130
    finally:
        comparison.close()
    print(comparison.write())
    return code


if __name__ == "__main__":
    sys.exit(main())
