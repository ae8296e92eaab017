"""What every Python peer shares: its arguments, its tuning, and how it talks with compare.py.

A peer is started as `python PEER.py WORK --threads N …`. It prepares the work, warms up and tunes, and prints one JSON
line: {"ready": {peer, version, work, device, threads, settings, output, prepare_s}}, or {"unsupported": why} and ends.
Then for every line with a number K on stdin it runs the work K times and prints {"ms": [K times]}. The end of stdin ends
it. What libraries print goes to stderr.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

import works

# Seconds that one candidate's preparation and trial may take.
CANDIDATE_S = 300


class Unsupported(Exception):
    """The peer has no way to do this work."""


class Prepared:
    """A work that is ready: `run()` does it once, waits for its end and returns the result's shape."""

    def __init__(self, run, version, device, settings):
        self.run, self.version, self.device, self.settings = run, version, device, settings


def fastest(candidates):
    """Of candidates (name, make), make() giving run(), the one whose best run takes least: (run, name).

    A candidate that fails or takes too long is left out, with a word on stderr; all of them failing is the last one's
    error.
    """
    best, error = None, None

    def out_of_time(*_):
        raise TimeoutError(f"took more than {CANDIDATE_S} s")

    alarm = hasattr(signal, "SIGALRM")
    for name, make in candidates:
        if alarm:
            signal.signal(signal.SIGALRM, out_of_time)
            signal.alarm(CANDIDATE_S)
        try:
            run = make()
            run()
            run()
            least = best_of_a_second(run)
        except Exception as failure:  # whatever a library raises, the others are still to be tried
            print(f"{name}: {type(failure).__name__}: {failure}", file=sys.stderr)
            error = failure
            continue
        finally:
            if alarm:
                signal.alarm(0)
        print(f"{name}: {least:.2f} ms", file=sys.stderr)
        if best is None or least < best[0]:
            best = (least, run, name)
    if best is None:
        raise error
    return best[1], best[2]


def best_of_a_second(run):
    """The least milliseconds of the runs of a second, at least three of them."""
    until, times = time.perf_counter() + 1, []
    while len(times) < 3 or time.perf_counter() < until:
        times.append(timed(run))
    return min(times)


def timed(run):
    """Milliseconds of one run."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def main(name, prepare):
    """Runs a peer; `prepare(work, arguments)` gives a Prepared or raises Unsupported."""
    # Libraries print on stdout what they like; the protocol keeps the pipe for itself.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message):
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()

    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", help="cpu, cuda or vulkan")
    parser.add_argument("--adapter", help="for vulkan, the name of the adapter")
    parser.add_argument("--models", type=pathlib.Path, required=True, help="the folder of exported models")
    parser.add_argument("--quick", action="store_true", help="without what takes minutes to tune")
    arguments = parser.parse_args()
    work = works.find(arguments.work)
    start = time.perf_counter()
    try:
        prepared = prepare(work, arguments)
    except Unsupported as reason:
        say({"unsupported": str(reason)})
        return
    output = list(prepared.run())
    if work["output"] and output != work["output"]:
        raise SystemExit(f"{work['name']}: the result is {output}, expected {work['output']}")
    say(
        {
            "ready": {
                "peer": name,
                "version": prepared.version,
                "work": work["name"],
                "device": prepared.device,
                "threads": arguments.threads,
                "settings": prepared.settings,
                "output": output,
                "prepare_s": round(time.perf_counter() - start, 1),
            }
        }
    )
    for line in sys.stdin:
        say({"ms": [timed(prepared.run) for _ in range(int(line))]})
