"""The processes that are compared: peers that live as long as a work, and nevus, which is started for every round."""

import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time


class Failed(Exception):
    """A process gave no time; the text says why, in a few words."""


class Unsupported(Failed):
    """The process says that it has no way to do the work."""


def last_words(path):
    """The last line of a log that says something, cut to what a table holds, without the folders where crates lie."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    words = next((line for line in reversed(lines) if line), "nothing on stderr")
    words = re.sub(r"/\S*/(?=[\w-]+-\d+\.\d+\.\d+[^/\s]*/src/)", "", words)
    return words if len(words) <= 160 else words[:157] + "..."


def end(process):
    """Ends a process that this program started, with its own children."""
    if process.poll() is None:
        for sign, wait in ((signal.SIGTERM, 5), (signal.SIGKILL, 10)):
            try:
                os.killpg(process.pid, sign)
                process.wait(wait)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
            break


class Child:
    """A peer at one work: see peer.py for what is said."""

    def __init__(self, command, log, environment):
        self.log = pathlib.Path(log)
        self.lines = queue.Queue()
        self.stderr = self.log.open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _answer(self, key, limit):
        """The object below `key` of the next line that is one."""
        until = time.monotonic() + limit
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                self.close()
                raise Failed(f"no answer within {limit:.0f} s, ended; last words: {last_words(self.log)}") from None
            if line is None:
                code = self.process.wait()
                self.close()
                raise Failed(f"ended with {code}: {last_words(self.log)}")
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if isinstance(answer, dict) and "unsupported" in answer:
                self.close()
                raise Unsupported(answer["unsupported"])
            if isinstance(answer, dict) and key in answer:
                return answer[key]

    def ready(self, limit):
        """What the peer says of itself once it has warmed up."""
        return self._answer("ready", limit)

    def times(self, repeats, limit):
        """Milliseconds of so many repetitions."""
        try:
            self.process.stdin.write(f"{repeats}\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended: the answer says how
        return self._answer("ms", limit)

    def close(self):
        """Ends it."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        end(self.process)
        self.stderr.close()


class Nevus:
    """nevus by its command line."""

    def __init__(self, program, device, logs):
        self.program, self.device, self.logs = str(program), device, pathlib.Path(logs)

    def ask(self, arguments, log, limit):
        """The JSON object that a command prints."""
        device = ["--device", self.device] if self.device else []
        log = self.logs / f"nevus.{log}.log"
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                [self.program, *arguments, *device, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
            try:
                out, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                raise Failed(f"no answer within {limit:.0f} s, ended; last words: {last_words(log)}") from None
            finally:
                end(process)
        if process.returncode != 0:
            raise Failed(f"ended with {process.returncode}: {last_words(log)}")
        try:
            return json.loads(out)
        except ValueError as error:
            raise Failed(f"printed no JSON: {error}") from None

    def adapter(self):
        """The adapter it would use, as `nevus devices` lists it, and its number among those of its kind."""
        listed = self.ask(["devices"], "devices", 120)
        used = listed["used"]["index"]
        adapter = next(adapter for adapter in listed["adapters"] if adapter["index"] == used)
        kin = [
            other["index"]
            for other in listed["adapters"]
            if (other["device_type"], other["backend"]) == (adapter["device_type"], adapter["backend"])
        ]
        return dict(adapter, number=kin.index(used))

    @staticmethod
    def command(group, repeats):
        """The bench that times a group of works."""
        work = group[0]
        if work["kind"] == "convolution":
            op = "conv_transpose2d" if work["transposed"] else "conv2d"
            return ["bench", op, "--layer", work["layer"], "--taken", "--repeat", str(repeats)]
        height, width = work["size"]
        size = ["--batch", str(work["batch"]), "--size", f"{height}x{width}"]
        base = ["--base", str(work["base"])] if work["model"] == "unet" else []
        loss = ["--loss", "bce"] if work["model"] == "unet" else []
        step = ["--mode", "train", "--optimizer", "sgd", "--no-average", *loss] if work["mode"] == "train" else ["--mode", "forward"]
        return ["bench", work["model"], *step, *size, *base, "--repeat", str(repeats)]

    def times(self, group, repeats, limit):
        """Of every work of a group by name: the least milliseconds of so many repetitions, and what ran."""
        report = self.ask(self.command(group, repeats), group[0]["name"], limit)
        if group[0]["kind"] == "model":
            return {group[0]["name"]: (report["total_ms_min"], f"{report['dispatches']} dispatches")}
        found = {}
        for work in group:
            rows = [row for row in report["rows"] if row["op"].endswith("." + work["part"])]
            if rows:
                versions = ", ".join(sorted({row["version"] for row in rows}))
                found[work["name"]] = (sum(row["ms_min"] for row in rows), versions)
        return found
