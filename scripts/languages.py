"""Write src/glotmix/data/languages.tsv from Unicode's CLDR and the IANA language registry.

    npm pack cldr-core@48 cldr-localenames-full@48        # unpack both; the folders are the two arguments
    python scripts/languages.py CLDR_CORE CLDR_LOCALENAMES

CLDR (Unicode-3.0 licence) gives the likely scripts, the scripts by region, English names and the tree of language
groups; the IANA registry (as shipped in langcodes, MIT) gives every language, its names and its macro-language. The
level at which the tree is cut into families, and what the tree lacks, is made by hand: scripts/families.tsv.
"""

import csv
import json
import re
import sys
from pathlib import Path

import langcodes
from langcodes.data_dicts import LANGUAGE_ALPHA3, LANGUAGE_ALPHA3_BIBLIOGRAPHIC

HERE = Path(__file__).parent
TARGET = HERE.parent / "src/glotmix/data/languages.tsv"
RENAMED_SCRIPTS = {"Kore": "Hang"}
"""Korean text of today is Hangul alone; FLORES, HPLT and FineWeb-2 write ``kor_Hang``."""

SCRIPTS_BY_HAND = {"hbs": ["Latn"], "hmn": ["Latn"], "mww": ["Latn"]}
"""CLDR has none for Serbo-Croatian and Hmong, and names Hmong Daw's Nyiakeng Puachue where nearly all text is Latin."""


def registry() -> dict[str, dict[str, list[str]]]:
    """Return the IANA records of individual languages and macro-languages by subtag."""
    text = (Path(langcodes.__file__).parent / "data/language-subtag-registry.txt").read_text("utf-8")
    records = {}
    for block in text.replace("\n  ", " ").split("%%\n")[1:]:
        record: dict[str, list[str]] = {}
        for line in block.splitlines():
            key, _, value = line.partition(": ")
            record.setdefault(key, []).append(value)
        if record["Type"] == ["language"] and record.get("Scope", ["macrolanguage"]) == ["macrolanguage"]:
            records[record["Subtag"][0]] = record
    return records


def families(core: Path, records: dict[str, dict[str, list[str]]]) -> dict[str, str]:
    """Return the family of every language that CLDR's tree or the hand-made table places."""
    groups = json.loads((core / "supplemental/languageGroups.json").read_text("utf-8"))["supplemental"][
        "languageGroups"
    ]
    parent = {child: group for group, children in groups.items() for child in re.findall(r"\w+", str(children))}
    with (HERE / "families.tsv").open(encoding="utf-8", newline="") as file:
        chosen = dict(csv.reader((line for line in file if not line.startswith("#")), delimiter="\t"))
    found = {}
    for code, record in records.items():
        for start in (code, *record.get("Macrolanguage", [])):
            at: str | None = start
            seen = set()
            while at is not None and at not in chosen and at not in seen:
                seen.add(at)
                at = parent.get(at)
            if at in chosen:
                found[code] = chosen[at]
                break
    return found


def main(core: Path, names: Path) -> None:
    """Write the table."""
    likely = json.loads((core / "supplemental/likelySubtags.json").read_text("utf-8"))["supplemental"]["likelySubtags"]
    alias = json.loads((core / "supplemental/aliases.json").read_text("utf-8"))["supplemental"]["metadata"]["alias"]
    english = json.loads((names / "main/en/languages.json").read_text("utf-8"))["main"]["en"]["localeDisplayNames"]
    records = registry()
    family = families(core, records)
    alpha3 = {c: LANGUAGE_ALPHA3[c] if len(c) == 2 else c for c in records}
    others: dict[str, set[str]] = {}
    for short, three in LANGUAGE_ALPHA3.items():
        if len(short) == 2 and alpha3.get(short) == three:
            others.setdefault(three, set()).add(short)
    for short, three in LANGUAGE_ALPHA3_BIBLIOGRAPHIC.items():
        others.setdefault(alpha3[short], set()).add(three)
    retired = set()
    for code, record in records.items():
        new = record.get("Preferred-Value")
        if new and new[0] in records:
            others.setdefault(alpha3[new[0]], set()).add(alpha3[code])
            others[alpha3[new[0]]].add(code)
            retired.add(code)
    for code, entry in alias["languageAlias"].items():
        # Codes that ISO has retired since the registry's date, such as kzj → dtp.
        new_code = entry["_replacement"]
        if entry["_reason"] == "deprecated" and code in records and code not in retired and new_code in records:
            others.setdefault(alpha3[new_code], set()).add(code)
            retired.add(code)
    rows = []
    for code, record in records.items():
        if code in retired or re.fullmatch("q[a-t].", code):
            continue
        macro = record.get("Macrolanguage", [""])[0]
        scripts = [_script(likely[k]) for k in (code, alpha3[code], macro) if k in likely][:1]
        scripts = SCRIPTS_BY_HAND.get(alpha3[code], scripts + record.get("Suppress-Script", []))
        script = scripts[0] if scripts else ""
        regions = {
            key.rpartition("-")[2]: _script(value)
            for key, value in likely.items()
            if re.fullmatch(f"{code}-([A-Z]{{2}}|[0-9]{{3}})", key) and _script(value) != script
        }
        known = [english["languages"][code]] if code in english["languages"] else []
        described = [re.sub(r" \(.*\)$", "", d) for d in record["Description"]]
        rows.append(
            {
                "iso": alpha3[code],
                "also": " ".join(sorted(others.get(alpha3[code], set()) - {alpha3[code]})),
                "macro": alpha3[macro] if macro else "",
                "script": script,
                "regions": " ".join(f"{r}:{s}" for r, s in sorted(regions.items())),
                "family": family.get(code, ""),
                "names": "; ".join(dict.fromkeys(known + described)),
            }
        )
    version = json.loads((core / "package.json").read_text("utf-8"))["version"]
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        file.write(
            f"# Written by scripts/languages.py from Unicode CLDR {version} (Unicode-3.0) and the IANA language\n"
            "# registry in langcodes (MIT). Families: CLDR's groups, cut as scripts/families.tsv says (by hand).\n"
        )
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda r: r["iso"]))
    print(
        f"{len(rows)} languages, {sum(r['script'] == '' for r in rows)} without a script, "
        f"{sum(r['family'] == '' for r in rows)} without a family"
    )


def _script(tag: str) -> str:
    script = tag.split("-")[1]
    return RENAMED_SCRIPTS.get(script, script)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
