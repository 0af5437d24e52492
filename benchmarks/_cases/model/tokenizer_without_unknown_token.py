"""Text that cannot be encoded is named with its language, in the audit and in a recipe."""


def check(folder, run):
    audit = ["glotmix", "eval", "tokenizers", "tokenizer.json", "--texts", "texts.jsonl", "--reference", "eng_Latn"]
    for command in (audit, ["glotmix", "run", "recipe.yaml"]):
        done = run(command)
        if done.returncode not in (2, 3) or "Traceback" in done.stderr:
            return f"{command[1]}: exit {done.returncode}: {done.stderr[-200:]}"
        if "cannot encode" not in done.stderr or "tha_Thai" not in done.stderr or "unknown token" not in done.stderr:
            return f"{command[1]}: {done.stderr[-300:]}"
    return None
