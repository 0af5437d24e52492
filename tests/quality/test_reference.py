"""The reference that ships, scores that are a document's own, and the line that loses a share of good text."""

import doctest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmix.core.errors import DataError
from glotmix.core.record import Output, Silent
from glotmix.quality import anchors, lengths, load, probability, reference, train_rater
from glotmix.quality.heads import Head
from glotmix.quality.rater import Rater
from glotmix.quality.train_rater import TrainingSpec
from glotmix.signals import heuristics

TEXTS = {
    "eng_Latn": "The mayor opened the new library on Tuesday. She said that it had taken nine years to build. ",
    "rus_Cyrl": "Мэр открыл новую библиотеку во вторник. Он сказал, что её строили девять лет. ",
    "ell_Grek": "Ο δήμαρχος εγκαινίασε τη νέα βιβλιοθήκη την Τρίτη. Είπε ότι χρειάστηκαν εννέα χρόνια. ",
    "arb_Arab": "افتتح رئيس البلدية المكتبة الجديدة يوم الثلاثاء. وقال إن بناءها استغرق تسع سنوات. ",
    "heb_Hebr": "ראש העיר פתח את הספרייה החדשה ביום שלישי. הוא אמר שהבנייה נמשכה תשע שנים. ",
    "hin_Deva": "महापौर ने मंगलवार को नए पुस्तकालय का उद्घाटन किया। उन्होंने कहा कि इसे बनाने में नौ साल लगे। ",
    "ben_Beng": "মেয়র মঙ্গলবার নতুন গ্রন্থাগার উদ্বোধন করেন। তিনি বলেন, এটি তৈরি করতে নয় বছর লেগেছে। ",
    "tha_Thai": "นายกเทศมนตรีเปิดห้องสมุดแห่งใหม่เมื่อวันอังคาร เขากล่าวว่าใช้เวลาสร้างเก้าปี ",
    "mya_Mymr": "မြို့တော်ဝန်သည် အင်္ဂါနေ့တွင် စာကြည့်တိုက်အသစ်ကို ဖွင့်လှစ်ခဲ့သည်။ ",
    "zho_Hans": "市长周二为新图书馆揭幕。他说建造花了九年时间。",
    "jpn_Jpan": "市長は火曜日に新しい図書館を開館した。建設に九年かかったと述べた。",
    "kor_Hang": "시장은 화요일에 새 도서관을 열었다. 그는 짓는 데 아홉 해가 걸렸다고 말했다. ",
    "amh_Ethi": "ከንቲባው ማክሰኞ ዕለት አዲሱን ቤተ መጻሕፍት ከፈቱ። ግንባታው ዘጠኝ ዓመታት ፈጅቷል ብለዋል። ",
}
JUNK = "Home | Shop | Login » FAQ (12) · BUY cheap SHOES 2019 !!! "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small default rater: fewer trees, one seed."""
    made = tmp_path_factory.mktemp("rater")
    spec = TrainingSpec([anchors.shipped()], against="reference")
    eyes = load.feature_extractor(("structure",), {})
    train_rater.make(Output(made, "rater", Silent()), spec, eyes, Head(trees=40, seeds=1), 0)
    return made


def test_docstrings():
    assert doctest.testmod(lengths).failed == 0


def test_every_script_has_a_language_of_its_own_in_the_reference_at_every_length():
    held = reference.shipped()
    for lang in TEXTS:
        assert held.level_of(lang) == lang
        for column in ("letter_share", "compression_ratio", "unique_unit_share"):
            low, high = (held.bounds(lang, np.array(lengths.KNOTS), column, q) for q in (0.01, 0.99))
            assert np.isfinite(low).all()
            assert (low <= high).all(), (lang, column)
    assert held.level_of("xho_Latn") in ("xho_Latn", "Latn")
    assert held.level_of("qaa_Zzzz") == reference.POOLED


def test_what_is_usual_depends_on_length_and_the_reference_knows_it():
    held = reference.shipped()
    short, long = held.bounds("eng_Latn", np.array([200.0, 12_000.0]), "unique_unit_share", 0.5)
    assert short > long + 0.2


def test_a_column_is_held_against_the_middle_and_spread_between_two_lengths():
    rng = np.random.default_rng(0)
    rows = 400
    chars = np.repeat([400.0, 1_000.0], rows)
    values = np.where(chars == 400, 1.0, 3.0) + rng.normal(0, 0.5, 2 * rows)
    table = pa.table({"lang": ["fra_Latn"] * 2 * rows, "chars": chars, "x": values})
    made = reference.fit(table, ["chars", "x"])
    middle = float(np.exp((np.log(400) + np.log(1_000)) / 2))
    seen = pa.table({"lang": ["fra_Latn"] * 3, "chars": [400.0, middle, 1_000.0], "x": [1.0, 2.0, 3.0]})
    assert np.abs(made.apply(seen, ["x"])).max() < 0.2
    far = pa.table({"lang": ["fra_Latn"], "chars": [1_000.0], "x": [3.5]})
    assert made.apply(far, ["x"])[0, 0] == pytest.approx(1.0, abs=0.2)
    with pytest.raises(DataError, match="holds nothing of the column y"):
        made.bounds("fra_Latn", chars, "y", 0.5)


def test_a_fifth_of_junk_moves_the_middle_by_little():
    values = np.random.default_rng(0).normal(0, 1, 300)
    values[:60] = 50
    table = pa.table({"lang": ["fra_Latn"] * 300, "chars": np.full(300, 1_000.0), "x": values})
    made = reference.fit(table, ["chars", "x"])
    moved = made.middle[made.levels.index("fra_Latn"), lengths.KNOTS.index(1_000), 1]
    assert abs(moved) < 0.8
    assert values.mean() > 9


def test_the_file_gives_back_what_was_written(tmp_path):
    rng = np.random.default_rng(1)
    table = pa.table({"lang": ["fra_Latn"] * 60, "chars": np.full(60, 900.0), "x": rng.normal(size=60)})
    made = reference.fit(table, ["chars", "x"])
    made.write(tmp_path / "r.parquet")
    again = reference.Reference.read(tmp_path / "r.parquet")
    assert again.levels == made.levels
    np.testing.assert_allclose(again.quantiles, made.quantiles, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("languages", [["eng_Latn", "rus_Cyrl", "pes_Arab"], ["ast_Latn"]])
def test_the_order_of_anchors_changes_no_byte_of_a_rater_made_with_the_reference(tmp_path, languages):
    rows = anchors.read([anchors.shipped()])
    rows = rows.filter(pc.is_in(rows["lang"], value_set=pa.array(languages)))
    rows = rows.take(pa.array(np.random.default_rng(1).permutation(rows.num_rows)[:260]))
    eyes = load.feature_extractor(("structure",), {})
    for name, order in (("a", slice(None)), ("b", slice(None, None, -1))):
        pq.write_table(rows.take(pa.array(np.arange(rows.num_rows)[order])), tmp_path / f"{name}.parquet")
        spec = TrainingSpec([tmp_path / f"{name}.parquet"], against="reference")
        (tmp_path / name).mkdir()
        train_rater.make(Output(tmp_path / name, "rater", Silent()), spec, eyes, Head(trees=10, seeds=2), 3)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"rater.json", "rater.safetensors", "training.parquet", "versions.parquet"} <= set(files)
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert Rater.read(tmp_path / "a").probability is not None


def test_anchors_are_looked_at_in_an_order_of_their_own():
    rows = anchors.read([anchors.shipped()]).slice(0, 60)
    eyes = load.feature_extractor(("structure",), {})
    one, other = (
        train_rater.labelled(given, eyes, against="reference") for given in (rows, rows.take(list(range(59, -1, -1))))
    )
    assert one.features.equals(other.features)
    assert one.versions.parents == other.versions.parents
    assert (one.labels == other.labels).all()


@pytest.mark.parametrize("lang", TEXTS)
def test_a_score_is_the_documents_own_whatever_stands_beside_it(folder, lang):
    rated = load.load(folder)
    good, bad = TEXTS[lang] * (900 // len(TEXTS[lang]) + 1), JUNK * 15
    alone = rated([good], lang)
    beside = rated([good, *[JUNK * 15] * 40, *[TEXTS["eng_Latn"]] * 40], [lang, *["eng_Latn"] * 80])
    assert beside[0] == alone[0]
    assert alone[0] > rated([bad], lang)[0]


def test_the_line_loses_what_it_says_of_held_out_good_text_and_never_more_of_a_language_than_the_cap(folder):
    rater = Rater.read(folder)
    chance = rater.probability
    assert chance is not None
    data, _, _ = train_rater.training(folder, 10_000, 3.0)
    held = probability.hold_out(data, rater.head, 0)
    odds = held.own
    scores = 1 / (1 + np.exp(-(chance.slope * odds + chance.offset)))
    lines = np.array([chance.line(lang, 0.05) for lang in data.langs])
    lost = (scores < lines)[data.labels].mean()
    assert lost <= 0.051
    assert (scores < lines)[~data.labels].mean() > 3 * lost
    assert chance.line("eng_Latn", 0.2) > chance.line("eng_Latn", 0.05) > chance.line("eng_Latn", 0.01)
    langs, names, matrix = reference.sample()
    own = matrix[:, [names.index(name) for name in rater.usual.names]]
    web = chance.apply(rater.panel.log_odds(own, langs), langs)
    for lang in ("ast_Latn", "gla_Latn", "eng_Latn", "tha_Thai"):
        assert (web[langs == lang] < chance.line(lang, 0.05)).mean() <= 2 * 0.05 + 0.011, lang


def test_calibrated_scores_are_near_the_share_of_natural_documents(folder):
    chance = Rater.read(folder).probability
    data, _, _ = train_rater.training(folder, 10_000, 3.0)
    held = probability.hold_out(data, Rater.read(folder).head, 0)
    scores = 1 / (1 + np.exp(-(chance.slope * held.own + chance.offset)))
    for part in np.array_split(np.argsort(scores), 5):
        assert abs(scores[part].mean() - data.labels[part].mean()) < 0.08


def test_what_the_anchors_cannot_teach_is_no_feature(folder):
    columns = Rater.read(folder).usual.columns
    assert "unit_entropy" in columns
    # The anchors are excerpts of a few lines: hardly one has a short line, none repeats one.
    assert not {"short_line_share", "duplicate_line_char_share", "placeholders"} & set(columns)


def test_versions_are_of_one_language_and_label_and_keep_to_their_documents():
    texts = [f"{n} " + "A sentence of some length. " * 30 for n in range(40)]
    langs = ["eng_Latn"] * 20 + ["deu_Latn"] * 20
    labels = [n % 2 == 0 for n in range(40)]
    made = lengths.versions(texts, langs, labels)
    assert any(len(own) > 1 for _, own in made)
    assert any(len(text) < 500 for text, _ in made)
    for _, own in made:
        assert len({(langs[at], labels[at]) for at in own}) == 1
    # A rater that learns from some documents sees no version of another.
    table = heuristics.measure(pa.array([t for t, _ in made]), pa.array([langs[o[0]] for _, o in made]))
    seen = pa.table({"lang": [langs[o[0]] for _, o in made], "chars": table.field("chars")})
    versions = train_rater.Versions(seen, tuple(own for _, own in made))
    rows = np.arange(20)
    assert all(set(versions.parents[at]) <= set(rows.tolist()) for at in versions.of(rows))
    assert len(versions.of(rows)) < len(made)
