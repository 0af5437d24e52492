"""Count how long sentences are and how many are passive, page by page: `python scripts/readability.py BEFORE`.

BEFORE is a commit to compare with. Code, tables, headings and addresses are left out. A sentence is
passive here if a form of *to be* is followed by a participle within two words: a count of forms, not a parse. Writes
docs/evidence/readability.md.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IRREGULAR = (
    "been begun bent bound bought broken brought built caught chosen come cut dealt done drawn driven "
    "eaten fallen fed felt found given gone grown had heard held hidden hit kept known laid led left lent "
    "let lost made meant met paid put read run said seen sent set shown shut sold spent spoken split "
    "spread stood taken taught thought thrown told understood weighed won written "
)
BE = r"\b(?:is|are|was|were|be|been|being)\b"
PASSIVE = re.compile(rf"{BE}(?:\s+\w+){{0,2}}?\s+(?:\w{{3,}}ed|{'|'.join(IRREGULAR.split())})\b", re.I)


def sentences(text: str) -> list[str]:
    """Return the sentences of a page's prose."""
    text = re.sub(r"^(`{3,}).*?^\1`*$", "", text, flags=re.S | re.M)
    text = re.sub(r"^(?:#|\||!|>|    ).*$", "", text, flags=re.M)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "\n\n", text, flags=re.M)
    parts = [
        part for block in re.split(r"\n\s*\n", text) for part in re.split(r"(?<=[.!?:;])\s+", " ".join(block.split()))
    ]
    return [part for part in parts if len(part.split()) >= 3]


def measured(text: str) -> tuple[int, float, float] | None:
    """Return the number of sentences, their mean length in words, and the share that is passive; None without any."""
    found = sentences(text)
    if not found:
        return None
    words = sum(len(s.split()) for s in found)
    return len(found), words / len(found), sum(bool(PASSIVE.search(s)) for s in found) / len(found)


def before(commit: str) -> dict[str, str]:
    """Return the pages of a commit."""
    listed = subprocess.check_output(
        ["git", "ls-tree", "-r", "--name-only", commit, "docs", "README.md"], text=True, cwd=ROOT
    )
    names = [name for name in listed.split() if name.endswith(".md")]
    return {n: subprocess.check_output(["git", "show", f"{commit}:{n}"], text=True, cwd=ROOT) for n in names}


def page(commit: str) -> str:
    """Return the page with the table."""
    old = before(commit)
    skipped = ("reference", "cli", "api", "warnings", "readability")
    new = {
        p.relative_to(ROOT).as_posix(): p.read_text("utf-8")
        for p in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
        if p.stem not in skipped
    }
    lines = [
        "# Readability",
        "",
        "See how long the sentences of each page are, and how many are passive, before and after the new order.",
        "",
        f"Before is commit `{commit[:7]}`. Code, tables and headings are left out, and pages made from the code.",
        "A clause behind a colon or semicolon counts as a sentence.",
        "Passive is counted by form (*is* … *measured*), not parsed.",
        "`python scripts/readability.py COMMIT` writes this page.",
        "",
        "| page | sentences | words each | passive | before: sentences | words each | passive |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    old.pop("docs/reference.md", None)
    rows = {n: (measured(new.get(n, "")), measured(old.get(n, ""))) for n in sorted({*new, *old})}
    whole = {"all pages": (measured("\n\n".join(new.values())), measured("\n\n".join(old.values())))}
    for name, (now, then) in (whole | rows).items():
        lines.append(f"| {name.removeprefix('docs/')} | {_cells(now)} | {_cells(then)} |")
    return "\n".join(lines) + "\n"


def _cells(found: tuple[int, float, float] | None) -> str:
    return "– | – | –" if found is None else f"{found[0]} | {found[1]:.1f} | {found[2]:.0%}"


if __name__ == "__main__":
    (ROOT / "docs/evidence/readability.md").write_text(page(sys.argv[1]), "utf-8")
