"""Languages whose letters vanish are not covered, named, and have no premium."""

import json


def check(folder, run):
    for name, gone in (("three.jsonl", ["tha_Thai"]), ("four.jsonl", ["khm_Khmr", "tha_Thai"])):
        command = [
            "glotmix",
            "eval",
            "tokenizers",
            "tokenizer.json",
            "--texts",
            name,
            "--reference",
            "eng_Latn",
            "--json",
        ]
        done = run(command)
        if done.returncode:
            return f"{name}: exit {done.returncode}: {done.stderr[-200:]}"
        (told,) = json.loads(done.stdout)
        of = {each["lang"]: each for each in told["languages"]}
        if [lang for lang in sorted(of) if of[lang]["premium"] is None] != gone:
            return f"{name}: premiums { ({lang: each['premium'] for lang, each in of.items()}) }"
        if not any(all(lang in warning for lang in gone) for warning in told["warnings"]):
            return f"{name}: warnings {told['warnings']}"
    return None
