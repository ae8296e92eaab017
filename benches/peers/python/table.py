"""The comparison as text: times, ratios, what was run."""

TITLES = {
    "nevus": "nevus",
    "torch": "PyTorch CPU",
    "torch-cuda": "PyTorch CUDA",
    "onnxruntime": "ONNX Runtime CPU",
    "ncnn": "ncnn CPU",
    "ncnn-vulkan": "ncnn Vulkan",
    "burn": "burn wgpu",
    "meganeura": "meganeura",
}


def ratio(work, peer):
    """nevus's time over the peer's, or None."""
    own, other = work["cells"].get("nevus", {}), work["cells"].get(peer, {})
    return own["ms_min"] / other["ms_min"] if "ms_min" in own and "ms_min" in other else None


def judged(work, peer, targets):
    """The cell of a ratio: the ratio, its target and whether it is met."""
    value, target = ratio(work, peer), targets.get(peer, {}).get(work["name"], targets.get(peer, {}).get("*"))
    if value is None:
        return ""
    if target is None:
        return number(value)
    return f"{number(value)} (≤ {target:g}: {'met' if value <= target else 'not met'})"


def number(value):
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(work, peer):
    """Time and rate, or a short word that the notes explain."""
    found = work["cells"].get(peer)
    if found is None:
        return "–"
    if "ms_min" in found:
        return f"{number(found['ms_min'])} ({number(found['gflops'])})"
    return "failed" if "failed" in found else "–"


def rows(head, body):
    """A Markdown table; all columns but the first to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def notes(report):
    """What stands behind the cells: settings, failures, other adapters."""
    lines = []
    for peer, reason in report["left_out"].items():
        lines.append(f"- {TITLES[peer]} is left out: {reason}")
    for work in report["works"]:
        for peer, found in work["cells"].items():
            if "failed" in found:
                lines.append(f"- {work['title']}, {TITLES[peer]}: failed: {found['failed']}")
    for peer in report["peers"]:
        if peer == "nevus":
            continue
        cells = [(work, work["cells"][peer]) for work in report["works"] if "ms_min" in work["cells"].get(peer, {})]
        if not cells:
            continue
        version, device = cells[0][1]["version"], cells[0][1]["device"]
        settings = "; ".join(f"{work['name']}: {found['settings']}" for work, found in cells)
        if len({found["settings"] for _, found in cells}) == 1:
            settings = cells[0][1]["settings"]
        longest = max(found["prepare_s"] for _, found in cells)
        lines.append(
            f"- {TITLES[peer]} {version} on {device}, ready after at most {longest:.0f} s. Fastest settings: {settings}"
        )
    return "\n".join(lines)


def markdown(report, targets):
    """The whole page."""
    peers = [peer for peer in report["peers"] if any(peer in work["cells"] for work in report["works"])]
    others = [peer for peer in peers if peer != "nevus"]
    times = [[work["title"], *(cell(work, peer) for peer in peers)] for work in report["works"]]
    ratios = [[work["title"], *(judged(work, peer, targets) for peer in others)] for work in report["works"]]
    machine, adapter = report["machine"], report["adapter"]
    return f"""# nevus beside its peers

{report['date']}, commit {report['commit']}. {machine['cpu']}, {report['threads']} threads, {machine['system']}.
Adapter: {adapter['name']} ({adapter['backend']}, {adapter['driver']}).
Best of {report['rounds']} rounds of {report['repeats']}; the rounds of all peers take turns.{report['ended']}

Milliseconds, and GFLOP/s of the work's own operations (a training step counts as three forwards):

{rows(['work', *(TITLES[peer] for peer in peers)], times)}

nevus's time over the peer's (below 1: nevus is faster):

{rows(['work', *(TITLES[peer] for peer in others)], ratios)}

{notes(report)}
"""
