"""Run every benchmark, or render the committed results: `python -m benchmarks [--small] [--readme] [NAME …]`.

A full run leaves its rows in benchmarks/results/NAME.json (to be committed), a small one in .bench/results/.
"""

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import harness

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- results: begin (python -m benchmarks --readme) -->", "<!-- results: end -->"


def names() -> list[str]:
    """Return the benchmarks: every module here that is neither the harness nor somebody's helper."""
    here = Path(__file__).resolve().parent
    return sorted(p.stem for p in here.glob("*.py") if not p.stem.startswith("_") and p.stem != "harness")


def results() -> str:
    """Return the committed results as Markdown, one table a benchmark."""
    return "\n".join(section(path) for path in sorted(harness.RESULTS.glob("*.json")))


def section(path: Path) -> str:
    """Return the results of one file as Markdown."""
    facts, *rows = harness.read(path)
    told = facts.settings
    commit = f"{str(told['commit'])[:10]}{' with uncommitted changes' if told['uncommitted'] else ''}"
    # Long tables are folded: the page should be read from top to bottom.
    opening, closing = "", ""
    if len(rows) > 30:
        opening, closing = f"<details><summary>{len(rows)} rows</summary>\n\n", "\n</details>\n"
    return (
        f"### {path.stem}\n\n{purpose(path.stem)}\n\nCommit {commit}, {told['measured']}, {told['cores']} cores "
        f"({told['processor']}), {told['memory_gb']} GB, Python {told['python']}.\n\n{opening}"
        "| metric | value | 95 % interval | n | unit |\n|---|---:|---:|---:|---|\n"
        + "".join(
            f"| `{row.metric}` | {harness.shown(row.value)} | {harness.between(row)} | "
            f"{'' if row.n is None else f'{row.n:,}'} | {row.unit or ''} |\n"
            for row in rows
        )
        + closing
    )


def purpose(name: str) -> str:
    """Return the first paragraph of a benchmark's own description."""
    source = (Path(__file__).resolve().parent / f"{name}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]


def rendered(readme: str) -> str:
    """Return the README with the results of the committed JSON files between its two markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{results()}\n{END}{after}"


def main() -> None:
    """Run the benchmarks that are named, or all; stop at the end with 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; all without")
    parser.add_argument("--small", action="store_true", help="quick runs that prove that the benchmarks work")
    parser.add_argument("--readme", action="store_true", help="only write the committed results into README.md")
    arguments = parser.parse_args()
    if arguments.readme:
        README.write_text(rendered(README.read_text("utf-8")), "utf-8")
        return
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    folder = harness.BENCH / "results" if arguments.small else harness.RESULTS
    failed = []
    for name in arguments.names or names():
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(folder / f"{name}.json")]
        command += ["--small"] if arguments.small else []
        print(f"── {name}: {' '.join(command[1:])}", flush=True)
        if subprocess.run(command, cwd=harness.ROOT, check=False).returncode:
            failed.append(name)
    print(f"results in {os.path.relpath(folder, harness.ROOT)}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
