"""Quality raters on web text that fluent readers judged (`unnatural` or not), and what rating costs.

**Leave one language out.** Every document is scored by raters that saw no label of its language; the mean is over the
languages with at least five good and five bad documents. `lolo_auc.structure` and `lolo_auc.both` are of the recipe's
default head, `lolo_auc.static` of the logistic one. For `lolo_auc.nested.{features}` the head is chosen anew for every
held-out language among several, by leaving out each of the others in turn (`glotmix.quality.transfer.nested`): what is
reported was neither trained nor chosen on the language that it is measured in. What is usual in a language is learned
from 600 unlabelled excerpts of the same crawl. (A caveat to all: the defaults and the candidates were decided by people
who had seen these labels, and results with other embedders on them.)

**Controls.** `pooled_vs_target.{labels}`: the AUC in a language by how many labels of its own there are, with those of
all other languages less without. `q3_vs_random`: pooled raters whose bad documents come from the crawl, and whose good
ones are news that people translated (NTREX-128), judged on the labelled documents; `q3_vs_random.same_crawl`: the same
with the crawl's own good documents. Head: logistic, fixed beforehand.

**Cost.** `rating.docs_per_cpu_second`: a corpus of such excerpts is identified, embedded and rated by the recipe's
steps; CPU-seconds of the process, all threads. `rating.peak_mb`: the process tree's memory on corpora of two sizes.
"""

from benchmarks import _parts
from benchmarks._controls import controlled, curve, outside
from benchmarks._labelled import NAME
from benchmarks._lolo import chosen_anew, length, lolo, shifted
from benchmarks._rating_cost import cost, memory

PARTS: dict[str, _parts.Part] = {
    "lolo": lolo,
    "length": length,
    "shifted": shifted,
    "labels": curve,
    "controls": controlled,
    "outside": outside,
    "cost": cost,
    "memory": memory,
    "nested": chosen_anew,
}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
