import unicodedata
from collections import Counter
from pathlib import Path

import langcodes
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmix.core import language
from glotmix.core.errors import RequestError
from glotmix.core.language import compatible, parse
from glotmix.native.codepoints import codepoints
from glotmix.signals.script import dominant_script

_HPLT = (
    "ace_Latn afr_Latn als_Latn amh_Ethi asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn "
    "ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn "
    "ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek "
    "eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn "
    "gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn "
    "hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn "
    "kan_Knda kat_Geor kaz_Cyrl kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kmr_Latn "
    "knc_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn lua_Latn "
    "lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Latn mkd_Cyrl mlt_Latn mni_Beng "
    "mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn nya_Latn oci_Latn ory_Orya pag_Latn "
    "pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl "
    "sag_Latn san_Deva sat_Olck scn_Latn shn_Mymr sin_Sinh slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab som_Latn "
    "sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn tam_Taml taq_Latn tat_Cyrl "
    "tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn "
    "uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn "
    "yue_Hant zho_Hans zho_Hant zsm_Latn zul_Latn"
)
HPLT = _HPLT.split()
"""The codes of HPLT v2's corpora, which are FLORES-200's, less ara_Arab (see below)."""

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")


def every() -> list[language.Language]:
    return [parse(e.iso) for e in language._entries().values() if e.script]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("fr", "fra_Latn"),
        ("FRA", "fra_Latn"),
        (" fra ", "fra_Latn"),
        ("fre", "fra_Latn"),
        ("fr-FR", "fra_Latn"),
        ("fr_ca", "fra_Latn"),
        ("fra_Latn", "fra_Latn"),
        ("FRA_LATN", "fra_Latn"),
        ("ger", "deu_Latn"),
        ("iw", "heb_Hebr"),
        ("es-419", "spa_Latn"),
        ("zh", "zho_Hans"),
        ("chi", "zho_Hans"),
        ("cmn", "zho_Hans"),
        ("cmn_Hani", "zho_Hani"),
        ("zh-TW", "zho_Hant"),
        ("zh-Hant-HK", "zho_Hant"),
        ("zh-hans", "zho_Hans"),
        ("zh-yue", "yue_Hant"),
        ("ar", "arb_Arab"),
        ("ara_Arab", "arb_Arab"),
        ("no", "nob_Latn"),
        ("nb", "nob_Latn"),
        ("nn", "nno_Latn"),
        ("ms", "zsm_Latn"),
        ("id", "ind_Latn"),
        ("lv", "lvs_Latn"),
        ("et", "est_Latn"),
        ("ekk", "est_Latn"),
        ("fa", "pes_Arab"),
        ("fa-AF", "prs_Arab"),
        ("az", "azj_Latn"),
        ("az-IR", "azb_Arab"),
        ("ku", "kmr_Latn"),
        ("ku_Arab", "ckb_Arab"),
        ("uz_Cyrl", "uzn_Cyrl"),
        ("mn", "khk_Cyrl"),
        ("fil", "tgl_Latn"),
        ("gug", "grn_Latn"),
        ("hbs", "hbs_Latn"),
        ("sh", "hbs_Latn"),
        ("sr", "srp_Cyrl"),
        ("sr-ME", "srp_Latn"),
        ("pa-PK", "pan_Arab"),
        ("ja", "jpn_Jpan"),
        ("jpn_Hani", "jpn_Jpan"),
        ("ko-KR", "kor_Hang"),
        ("kor_Kore", "kor_Hang"),
        ("kzj", "dtp_Latn"),
        ("iso", "iso_Latn"),
    ],
)
def test_a_spelling_becomes_the_canonical_code(written, code):
    assert str(parse(written)) == code


def test_codes_of_hplt_are_canonical_but_for_arabic():
    assert len(HPLT) == 185
    assert [str(parse(code)) for code in HPLT] == HPLT


def test_the_canonical_code_of_any_language_is_its_own():
    languages = every()
    assert len(languages) > 7_000
    assert [parse(lang.code) for lang in languages] == languages


def test_two_letter_and_bibliographic_codes_agree_with_langcodes():
    checked = 0
    for key, entry in language._entries().items():
        if len(key) != 2:
            continue
        theirs = langcodes.Language.get(key, normalize=False)
        if key in ("mo", "in", "iw", "ji", "jw", "sh", "bh"):  # retired: langcodes keeps no ISO 639-3 code of them
            continue
        assert entry.iso == theirs.to_alpha3(variant="T"), key
        assert language.iso_of(theirs.to_alpha3(variant="B")) == entry.iso
        checked += 1
    assert checked > 175


def test_likely_scripts_agree_with_langcodes_for_the_languages_of_hplt():
    # langcodes has an older CLDR and guesses members of macro-languages as if they were the whole.
    known = {c: langcodes.Language.get(c).maximize().script for c in {code[:3] for code in HPLT}}
    ours = {c: parse(c).script for c, script in known.items() if script}
    same_name = {"Kore": "Hang"}
    assert len(ours) > 170
    assert {c for c, s in ours.items() if s != same_name.get(known[c], known[c])} <= {"azb", "pbt"}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("zho_Hans", "cmn_Hans", True),
        ("zho_Hani", "zho_Hant", True),
        ("zho_Hans", "zho_Hant", False),
        ("zho_Hant", "yue_Hant", False),
        ("jpn_Jpan", "zho_Hani", False),
        ("ar", "arb", True),
        ("arb", "arz", False),
        ("no", "nob", True),
        ("nob", "nno", False),
        ("msa", "zsm", True),
        ("zsm", "ind", False),
        ("lv", "lvs", True),
        ("lvs", "ltg", False),
        ("et", "ekk", True),
        ("hbs", "hrv", True),
        ("hbs_Cyrl", "srp", True),
        ("hbs", "srp_Cyrl", False),
        ("hrv", "bos", False),
        ("sr", "sr-ME", False),
        ("kok", "gom", True),
        ("lah_Arab", "pnb_Arab", True),
        ("swh", "swc", False),
        ("fra", "fra", True),
    ],
)
def test_compatible(a, b, expected):
    assert compatible(parse(a), parse(b)) is expected
    assert compatible(parse(b), parse(a)) is expected


def test_every_row_of_the_canonical_table_joins_what_it_names():
    for key, target in language._canonical().items():
        code = key.replace("-", "_")
        assert parse(code).iso == target
        assert parse(target).iso == target


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("french", "fra_Latn (French)"),
        ("Frensh", "fra_Latn"),
        ("Mandarin", "zho_Hans"),
        ("Persian", "pes_Arab"),
        ("enq1", "fra_Latn"),
        ("ber", "kab"),
        ("und", "unknown"),
        ("", "fra_Latn"),
        ("fra_Latin", "fra_Latn"),
        ("fra_Foob", "fra_Latn"),
        ("srp_Latin", "srp_Latn"),
        ("en_US.UTF-8", "eng_Latn"),
        ("x-foo", "fra_Latn"),
    ],
)
def test_an_unknown_code_is_an_error_that_says_what_to_write(wrong, hint):
    with pytest.raises(RequestError) as error:
        parse(wrong)
    assert hint in str(error.value)


def test_a_language_without_a_known_script_wants_one():
    bare = next(e.iso for e in language._entries().values() if e.script is None)
    with pytest.raises(RequestError, match=f"{bare}_Latn"):
        parse(bare)
    assert parse(f"{bare}_Latn").script == "Latn"


def test_facts_of_languages():
    facts = {
        code: (parse(code).name, parse(code).family, parse(code).spaced, parse(code).direction)
        for code in (
            "fra",
            "vie",
            "kor",
            "tha",
            "bod",
            "zho_Hant",
            "jpn",
            "mya",
            "khm",
            "lao",
            "urd",
            "ydd",
            "swh",
            "amh",
        )
    }
    assert facts == {
        "fra": ("French", "Romance", True, "ltr"),
        "vie": ("Vietnamese", "Austroasiatic", True, "ltr"),
        "kor": ("Korean", "Koreanic", True, "ltr"),
        "tha": ("Thai", "Tai-Kadai", False, "ltr"),
        "bod": ("Tibetan", "Tibeto-Burman", False, "ltr"),
        "zho_Hant": ("Chinese", "Sinitic", False, "ltr"),
        "jpn": ("Japanese", "Japonic", False, "ltr"),
        "mya": ("Burmese", "Tibeto-Burman", False, "ltr"),
        "khm": ("Khmer", "Austroasiatic", False, "ltr"),
        "lao": ("Lao", "Tai-Kadai", False, "ltr"),
        "urd": ("Urdu", "Indo-Aryan", True, "rtl"),
        "ydd": ("Eastern Yiddish", "Germanic", True, "rtl"),
        "swh": ("Swahili", "Bantu", True, "ltr"),
        "amh": ("Amharic", "Semitic", True, "ltr"),
    }


def test_all_languages_of_hplt_have_a_family():
    assert [c for c in HPLT if parse(c).family is None] == []


def test_direction_is_that_of_the_letters_of_the_script():
    table = codepoints()
    for number, script in enumerate(table.script_names):
        points = np.flatnonzero(table.scripts == number)
        kinds = Counter(
            unicodedata.bidirectional(chr(p)) for p in points if unicodedata.category(chr(p)).startswith("L")
        )
        if script in language.scripts() and kinds:
            right = kinds["R"] + kinds["AL"] > kinds["L"]
            assert right == (script in language.RIGHT_TO_LEFT), script


@pytest.mark.parametrize("lang", sorted(set(SENTENCES["lang"].to_pylist())))
def test_the_script_of_real_sentences(lang):
    texts = SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].combine_chunks()
    found = Counter(dominant_script(texts).to_pylist())
    # A short Chinese sentence may hold only characters that both forms share.
    fit = sum(n for script, n in found.items() if language.scripts_fit(script, parse(lang).script))
    assert fit >= 0.99 * len(texts), found
    assert found[parse(lang).script] >= 0.95 * len(texts), found


def test_script_counts_are_those_of_unicode_names():
    """Oracle: the first word of each letter's name in Python's own Unicode data."""
    words = {"LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr", "THAI": "Thai"}
    words |= {"DEVANAGARI": "Deva", "BENGALI": "Beng", "TAMIL": "Taml", "KHMER": "Khmr", "MYANMAR": "Mymr"}
    keep = [lang for lang in set(SENTENCES["lang"].to_pylist()) if parse(lang).script in words.values()]
    texts = SENTENCES.filter(pc.is_in(SENTENCES["lang"], pa.array(keep)))["text"].combine_chunks()
    checked = 0
    for text, script in zip(texts.to_pylist(), dominant_script(texts).to_pylist(), strict=True):
        named = Counter(unicodedata.name(c, "").split(" ")[0] for c in text if unicodedata.category(c)[0] in "LM")
        (first, most), (_, less) = (*((w, n) for w, n in named.most_common() if w in words), ("", 0))[:2]
        if most > less:
            assert script == words[first], text
            checked += 1
    assert checked > 2_000


def test_chinese_is_told_apart_as_the_old_encodings_do():
    """Oracle: GB 2312 holds the simplified characters, Big5 the traditional ones."""
    simplified = SENTENCES.filter(pc.equal(SENTENCES["lang"], "cmn_Hans"))["text"].to_pylist()
    traditional = [
        "臺灣的氣候溫暖濕潤，適合種植水稻與茶葉。",
        "圖書館裡有許多關於歷史與哲學的書籍。",
        "她說這個問題應該由專家來處理。",
        "點擊這裡下載應用程式並開啟帳號。",
    ]

    def codec(text: str) -> str:
        han = [c for c in text if "\u4e00" <= c <= "\u9fff"]
        gb, big5 = (sum(c.encode(e, "ignore") != b"" for c in han) for e in ("gb2312", "big5"))
        return "Hans" if gb > big5 else "Hant" if big5 > gb else "Hani"

    texts = simplified + traditional
    found = dominant_script(pa.array(texts)).to_pylist()
    assert found[-4:] == ["Hant"] * 4
    agree = sum(a == b for a, b in zip(found, map(codec, texts), strict=True))
    assert agree >= 0.99 * len(texts)


def test_borderline_texts():
    texts = [
        "",
        "  \n",
        "123 !? 🙂",
        "iPhone的新功能介绍和使用方法说明",
        "Tokyo タワービル",
        "中文里的一个の字没有关系对吧朋友们都知道这件事",
        "ㄅㄆㄇ",
        "\u0301",
    ]
    assert dominant_script(pa.array(texts)).to_pylist() == [
        "Zyyy", "Zyyy", "Zyyy", "Hans", "Jpan", "Hans", "Hani", "Zyyy",
    ]  # fmt: skip


def test_only_the_beginning_is_looked_at():
    text = pa.array(["Киев" + " London" * 10, "日本", ""])
    assert dominant_script(text, max_chars=4).to_pylist() == ["Cyrl", "Hani", "Zyyy"]
    assert dominant_script(text.slice(0, 1)).to_pylist() == ["Latn"]


@given(st.text(max_size=60), st.randoms(use_true_random=False))
def test_the_script_does_not_depend_on_the_order_of_characters(text, random):
    mixed = "".join(random.sample(text, len(text)))
    one, other = dominant_script(pa.array([text, mixed])).to_pylist()
    assert one == other
