"""Languages that no loss is of are named when their mixture is solved, with what to type."""


def check(folder, run):
    fit = run(["glotmix", "mix", "fit", "runs", "-o", "fit"])
    solve = run(["glotmix", "mix", "solve", "fit", "runs/stock.csv", "tokens=1e7", "bootstrap=20", "-o", "mixture"])
    if fit.returncode or solve.returncode:
        return f"exits {fit.returncode}, {solve.returncode}: {solve.stderr[-200:]}"
    said = [
        part
        for part in (solve.stdout + solve.stderr).split("\n")
        if "swh_Latn" in part and "tha_Thai" in part and "no loss" in part
    ]
    return None if said else f"nothing is said of them: {solve.stdout[-300:]}"
