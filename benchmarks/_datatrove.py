"""Datatrove's side of `benchmarks.pipeline`: run by the Python of datatrove's own environment, never by ours.

`python _datatrove.py CORPUS OUTPUT tokenizers|english LID [TASKS]`: for each language, the order of its own examples:
read, identify the language, Gopher repetition, FineWeb quality and Gopher quality, write; then MinHash over what is
left: signatures, buckets, clusters, filter, write.

Thresholds are those that FineWeb-2's pipeline sets for all languages, else datatrove's defaults; the three that
FineWeb-2 sets for each language on its own (stop words, lines with terminal punctuation, mean word length) are wide
open, since their defaults are English and leave no Thai. One process, as its executor does it with one worker: where
CPU time is measured, no interpreter starts twice. For wall time, TASKS of it run at once, each on files of its own.

`tokenizers`: every language in a pipeline of its own with datatrove's word tokenizer for it, as in FineWeb-2.
`english`: all files in one pipeline with the default word tokenizer: less work, though its words are no words in
half of the scripts.
LID is the path of the fastText language model: the address that datatrove would download it from stands in its code.
"""

import sys
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.lid import FT176LID
from datatrove.utils.word_tokenizers import load_word_tokenizer

NAMES = {"ara_Arab": "arb_Arab", "zho_Hans": "cmn_Hani"}


def curate(corpus: str, pattern: str, language: str, output: Path, tasks: int = 1) -> None:
    """Take the files that match through all the steps, in so many tasks at once."""
    config = MinhashConfig(hash_config=HashConfig(hash_fc="xxhash", precision=64), n_grams=5)

    def run(stage: str, pipeline: list[PipelineStep], of: int = tasks) -> None:
        # Forked, so that they find the language model where this process was told that it lies.
        LocalPipelineExecutor(
            pipeline, tasks=of, workers=tasks, logging_dir=str(output / "logs" / stage), start_method="fork"
        ).run()
        # The next executor copies its steps, and a Chinese tokenizer that has worked cannot be copied.
        load_word_tokenizer.cache_clear()

    run(
        "filter",
        [
            JsonlReader(corpus, glob_pattern=pattern),
            LanguageFilter(label_only=True),
            GopherRepetitionFilter(dup_para_frac=0, dup_line_char_frac=0, dup_para_char_frac=0, language=language),
            FineWebQualityFilter(line_punct_thr=0, short_line_thr=999, char_duplicates_ratio=0.1, language=language),
            GopherQualityFilter(min_avg_word_length=1, max_avg_word_length=25, min_stop_words=0, language=language),
            JsonlWriter(str(output / "filtered"), compression="zstd", output_filename="${rank}.jsonl.zst"),
        ],
    )
    kept = JsonlReader(str(output / "filtered"))
    run("signatures", [kept, MinhashDedupSignature(str(output / "signatures"), config, language=language)])
    run("buckets", [MinhashDedupBuckets(str(output / "signatures"), str(output / "buckets"), config=config)], 14)
    run("clusters", [MinhashDedupCluster(str(output / "buckets"), str(output / "remove"), config=config)], 1)
    writer = JsonlWriter(str(output / "dataset"), compression="zstd", output_filename="${rank}.jsonl.zst")
    run("dedup", [kept, MinhashDedupFilter(str(output / "remove")), writer])


if __name__ == "__main__":
    corpus, output, how = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    FT176LID.MODEL_URL = sys.argv[4]
    tasks = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    if how == "english":
        curate(corpus, "*.jsonl.zst", "eng_Latn", output / "all", tasks)
    else:
        for lang in sorted({p.name.partition("-")[0] for p in Path(corpus).glob("*.jsonl.zst")}):
            curate(corpus, f"{lang}-*.jsonl.zst", NAMES.get(lang, lang), output / lang, tasks)
