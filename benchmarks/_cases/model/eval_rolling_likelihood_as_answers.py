"""A task of perplexity beside others is left out and named."""

import json


def check(folder, run):
    both = json.loads(run(["glotmix", "eval", "scores", "logs", "--json"]).stdout)
    for path in folder.glob("logs/samples_paloma_*"):
        path.unlink()
    alone = json.loads(run(["glotmix", "eval", "scores", "logs", "--json"]).stdout)
    if both["tasks"] != alone["tasks"] or both["mean"] != alone["mean"]:
        return "XCOPA is not as it is alone"
    named = any("paloma_de" in warning and "paloma_fr" in warning for warning in both["warnings"])
    return None if named else "what was left out is not named"
