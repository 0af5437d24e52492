"""A judge of ties alone beside a column: joined, warned of, and no number that is none."""

import json


def check(folder, run):
    done = run(["glotmix", "raters", "join", "recipe.yaml", "-o", "joined"])
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr[-200:]}"

    def refuse(text):
        raise ValueError(f"raters.json holds {text}")

    told = json.loads((folder / "joined" / "raters.json").read_text("utf-8"), parse_constant=refuse)
    if not (folder / "joined" / "scores.parquet").is_file():
        return "no scores"
    tied = any("calls every pair a tie" in warning for warning in told["warnings"])
    return None if tied else f"warnings {told['warnings']}"
