"""What the card says of how a data set was made."""

from glotmix.corpus import card
from glotmix.export import data_card
from glotmix.pipeline import recipe


def method(**languages: str) -> list[str]:
    sources = [{"name": name, "path": f"{name}.jsonl", "language": lang} for name, lang in languages.items()]
    return data_card._identified(recipe.parse({"name": "x", "corpus": {"sources": sources}}))


def test_a_language_that_the_identifier_told_is_not_called_declared():
    declared, told = method(news="amh_Ethi", mixed="identify")
    assert "compared with what each source declares" in declared
    assert told == "Language: told by py3langid in the sources mixed."
    (alone,) = method(mixed="identify", web="identify")
    assert "in the sources mixed, web" in alone and "declares" not in alone
    (only,) = method(news="tha_Thai")
    assert only == declared


def test_rules_that_drop_as_many_stand_in_the_order_of_their_names():
    rules = [f"{name}.high" for name in "hgfedcba"]
    shown = card._rules([{"lang": "deu_Latn", "kept": 3, "dropped": dict.fromkeys(rules, 7)}])
    head = shown.split("\n")[2]
    assert head.replace(" ", "") == "|language|a|b|c|d|e|f|g|h|", head
