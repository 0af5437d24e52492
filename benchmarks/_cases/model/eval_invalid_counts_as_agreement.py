"""Marks for "nothing found" agree with nothing."""

import json


def mlc(run, *arguments):
    found = json.loads(run(["glotmix", "eval", "scores", *arguments, "--json"]).stdout)
    return found["mean"]["mlc"]["value"], " ".join(found["warnings"])


def check(folder, run):
    value, warnings = mlc(run, "logs")
    if value != 0.25 or "could not be read" not in warnings:
        return f"logs: MLC {value}, warnings {warnings!r}"
    value, warnings = mlc(run, "logs2")
    if value != 0 or "--filtered flexible-extract" not in warnings:
        return f"logs2: MLC {value}, warnings {warnings!r}"
    value, warnings = mlc(run, "logs2", "--filtered", "flexible-extract")
    return None if value > 0 and "flexible-extract counts" in warnings else f"flexible: MLC {value}, {warnings!r}"
