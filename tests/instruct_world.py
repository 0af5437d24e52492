"""Small instruction data in every shape and many scripts, written for these tests."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAID: dict[str, tuple[str, str]] = {
    "fra_Latn": ("Quelle est la capitale du Pérou ?", "La capitale du Pérou est Lima, sur la côte du Pacifique."),
    "rus_Cyrl": ("Назови столицу Перу.", "Столица Перу — город Лима на берегу Тихого океана."),
    "ell_Grek": ("Ποια είναι η πρωτεύουσα του Περού;", "Η πρωτεύουσα του Περού είναι η Λίμα."),
    "arb_Arab": ("ما هي عاصمة بيرو؟", "عاصمة بيرو هي ليما، وتقع على ساحل المحيط الهادئ."),
    "heb_Hebr": ("מהי בירת פרו?", "בירת פרו היא לימה, על חוף האוקיינוס השקט."),
    "hin_Deva": ("पेरू की राजधानी क्या है?", "पेरू की राजधानी लीमा है, जो प्रशांत महासागर के तट पर है।"),
    "ben_Beng": ("পেরুর রাজধানী কী?", "পেরুর রাজধানী লিমা, যা প্রশান্ত মহাসাগরের তীরে অবস্থিত।"),
    "tha_Thai": ("เมืองหลวงของเปรูคือเมืองอะไร", "เมืองหลวงของเปรูคือกรุงลิมา ตั้งอยู่ริมมหาสมุทรแปซิฟิก"),
    "mya_Mymr": ("ပီရူးနိုင်ငံ၏ မြို့တော်က ဘာလဲ။", "ပီရူးနိုင်ငံ၏ မြို့တော်မှာ လီမာ ဖြစ်သည်။"),
    "zho_Hans": ("秘鲁的首都是哪里？", "秘鲁的首都是利马，位于太平洋沿岸。"),
    "jpn_Jpan": ("ペルーの首都はどこですか。", "ペルーの首都はリマで、太平洋の沿岸にあります。"),
    "kor_Hang": ("페루의 수도는 어디입니까?", "페루의 수도는 리마이며 태평양 연안에 있습니다."),
    "amh_Ethi": ("የፔሩ ዋና ከተማ ማን ነው?", "የፔሩ ዋና ከተማ ሊማ ነው።"),
}
"""An instruction and its answer, by language."""


def alpaca() -> list[dict[str, Any]]:
    """Rows of Alpaca: with and without input, with a system prompt and a history."""
    rows: list[dict[str, Any]] = [{"instruction": q, "input": "", "output": a, "lang": c} for c, (q, a) in SAID.items()]
    rows.append({"instruction": "Mets au pluriel.", "input": "un cheval", "output": "des chevaux", "lang": "fra_Latn"})
    rows.append(
        {
            "instruction": "И Чили?",
            "input": "",
            "output": "Сантьяго.",
            "system": "Отвечай кратко.",
            "history": [["Назови столицу Перу.", "Лима."]],
            "lang": "rus_Cyrl",
        }
    )
    return rows


def sharegpt() -> list[dict[str, Any]]:
    """Rows of ShareGPT: several turns, other names of roles, fields of turns."""
    rows = []
    for code, (question, answer) in SAID.items():
        turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
        rows.append({"id": f"s-{code}", "conversations": turns, "lang": code})
    rows.append(
        {
            "id": "s-long",
            "conversations": [
                {"from": "system", "value": "Sé breve."},
                {"from": "user", "value": "¿Capital de Perú?"},
                {"from": "chatgpt", "value": "Lima.", "weight": 1},
                {"from": "user", "value": "¿Y la de Chile?"},
                {"from": "chatgpt", "value": "Santiago."},
            ],
            "lang": "spa_Latn",
        }
    )
    return rows


def openai() -> list[dict[str, Any]]:
    """Rows of OpenAI's messages: system prompts, per-turn languages, parts of content, tools."""
    rows = []
    for code, (question, answer) in SAID.items():
        turns = [
            {"role": "system", "content": "You are a careful geographer.", "lang": "eng_Latn"},
            {"role": "user", "content": question, "lang": code},
            {"role": "assistant", "content": answer, "lang": code},
        ]
        rows.append({"id": f"o-{code}", "messages": turns, "lang": code, "topic": "geography"})
    rows.append(
        {
            "id": "o-tools",
            "messages": [
                {"role": "developer", "content": "Antworte kurz."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Wie warm ist es"}, {"type": "text", "text": "in Lima?"}],
                },
                {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "weather"}}]},
                {"role": "tool", "content": '{"celsius": 19}', "tool_call_id": "1"},
                {"role": "assistant", "content": "In Lima sind es 19 Grad."},
            ],
            "lang": "deu_Latn",
            "topic": "weather",
        }
    )
    return rows


def aya() -> list[dict[str, Any]]:
    """Rows of Aya."""
    return [
        {"inputs": q, "targets": a, "language": c[:3], "language_code": c, "annotation_type": "original-annotations"}
        for c, (q, a) in SAID.items()
    ]


def trl() -> list[dict[str, Any]]:
    """Rows of TRL's prompt and completion."""
    return [{"prompt": q, "completion": a, "lang": c, "model": "m"} for c, (q, a) in SAID.items()]


def oasst_flat() -> list[dict[str, Any]]:
    """OASST's messages, one a row: two trees with branches, a message without an answer, one that was deleted."""

    def message(own: str, parent: str | None, role: str, text: str, lang: str, **more: Any) -> dict[str, Any]:
        tree = own[0]
        known = {"message_id": own, "parent_id": parent, "message_tree_id": tree, "role": role, "text": text}
        return known | {"lang": lang, "deleted": False} | more

    return [
        message("a", None, "prompter", SAID["fra_Latn"][0], "fr"),
        message("a1", "a", "assistant", SAID["fra_Latn"][1], "fr", rank=0),
        message("a2", "a", "assistant", "Lima, fondée en 1535.", "fr", rank=1),
        message("a21", "a2", "prompter", "Par qui ?", "fr"),
        message("a211", "a21", "assistant", "Par Francisco Pizarro.", "fr", rank=0),
        message("a3", "a", "assistant", "Je ne sais pas.", "fr", rank=2, deleted=True),
        message("b", None, "prompter", SAID["tha_Thai"][0], "th"),
        message("b1", "b", "assistant", SAID["tha_Thai"][1], "th", rank=0),
        message("b11", "b1", "prompter", "ขอบคุณ", "th"),
    ]


def oasst_trees() -> list[dict[str, Any]]:
    """The same messages, one tree a row."""
    held = {m["message_id"]: m | {"replies": []} for m in oasst_flat()}
    trees = []
    for message in held.values():
        tree = message.pop("message_tree_id")
        parent = message["parent_id"]
        if parent is None:
            trees.append({"message_tree_id": tree, "prompt": message})
        else:
            held[parent]["replies"].append(message)
    return trees


SHAPES = {
    "alpaca": alpaca(), "sharegpt": sharegpt(), "openai": openai(), "aya": aya(), "trl": trl(),
    "oasst": oasst_flat(),
}  # fmt: skip
LANG = dict.fromkeys(SHAPES, "lang") | {"aya": "language_code"}
"""The column of each shape's language."""


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write lines of JSON."""
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


class Hashed:
    """An embedder for tests: hashed letters and pairs of letters, at length one."""

    fingerprint = "hashed-64"
    width = 64

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            folded = text.casefold()
            for size in (1, 2):
                for at in range(len(folded) - size + 1):
                    key = zlib.crc32(folded[at : at + size].encode())
                    out[row, key % self.width] += 1 if key & 1024 else -1
        norm = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(norm > 0, norm, 1), np.float32)


_PLACES = {
    "rus_Cyrl": ("Расскажи о городе {}.", "{} — город на берегу реки, в котором много старых домов, садов и мостов."),
    "jpn_Jpan": (
        "{}という町について教えてください。",
        "{}は川沿いの静かな町で、古い家や庭や橋が残っています。",
    ),
}
_MORE = {
    "rus_Cyrl": " Здесь живут рыбаки и учителя. Летом сюда приезжают гости, чтобы увидеть праздник на воде.",
    "jpn_Jpan": "漁師や先生が多く住んでいます。夏には水辺の祭りを見るために多くの人が訪れます。",
}
_SYLLABLES = ("ка", "ми", "то", "ра", "не", "су", "ло", "ви"), ("カ", "ミ", "ト", "ラ", "ネ", "ス", "ロ", "ビ")


def corpus(folder: Path) -> None:
    """Write two sources with planted faults, and pairs of unrevised and revised answers."""
    chat: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    revised: list[dict[str, Any]] = []
    for lang, syllables in zip(_PLACES, _SYLLABLES, strict=True):
        asked, told = _PLACES[lang]
        for n in range(40):
            name = "".join(syllables[(n * k + k) % 8] for k in (1, 3, 5)) + syllables[n // 8]
            question, answer = asked.format(name), told.format(name)
            whole = answer + _MORE[lang] * (n % 3)
            if n % 2:
                chat.append({"id": f"{lang}-{n}", "lang": lang, "conversations": _said(question, whole)})
            else:
                pairs.append({"id": f"{lang}-{n}", "lang": lang, "instruction": question, "input": "", "output": whole})
            revised.append(
                {
                    "instruction": asked.format(name + syllables[1]),
                    "response": answer[: len(answer) // 2],
                    "revised_response": answer + _MORE[lang],
                    "lang": lang,
                    "translated": "none",
                }
            )
    english = "The capital of that country lies on the coast, and it is a large and lively city."
    for code, (question, answer) in SAID.items():
        chat.append({"id": f"c-{code}", "lang": code, "conversations": _said(question, answer)})
    question, answer = SAID["rus_Cyrl"]
    thai = SAID["tha_Thai"][1]
    faults = {
        "wrong-language": ("rus_Cyrl", "Какой город самый старый в стране?", english),
        "wrong-script": ("kor_Hang", "한국에서 가장 오래된 도시는 어디입니까?", answer),
        "named-language": ("eng_Latn", "Translate the following sentence into Thai: Lima is the capital.", english),
        "named-rightly": ("eng_Latn", "Please translate this short text into Thai: Lima is a capital city.", thai),
        "declines": ("fra_Latn", "Donne-moi l'adresse du maire.", "Je suis désolé, mais je ne peux pas répondre."),
        "declines-too": ("jpn_Jpan", "市長の住所を教えて。", "申し訳ありませんが、お答えできません。"),
        "nothing": ("ell_Grek", "Πες μου κάτι για τη Λίμα.", "…"),
        "placeholder": ("hin_Deva", "लीमा के बारे में कुछ बताइए।", "<nooutput>"),
        "repeated": ("fra_Latn", SAID["fra_Latn"][0], "C'est Lima, une grande ville au bord de l'océan Pacifique."),
    }
    for identity, (code, asked, said) in faults.items():
        chat.append({"id": identity, "lang": code, "conversations": _said(asked, said)})
    item = "A farmer sells forty two baskets of red apples and keeps nineteen; how many did the farmer pick in all?"
    leaked = _said(f"Solve this. {item}", "Sixty one baskets.")
    chat.append({"id": "leaked", "lang": "eng_Latn", "conversations": leaked})
    lines(folder / "exam.jsonl", [{"question": item}])
    lines(folder / "chat.jsonl", chat)
    (folder / "pairs.json").write_text(json.dumps(pairs, ensure_ascii=False, indent=1), "utf-8")
    lines(folder / "revised.jsonl", revised)


def _said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
