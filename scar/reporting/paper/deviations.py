"""Every difference between the paper's text, its published numbers and this project, with effect sizes.

An entry whose inputs are in the project computes its effect when the page is made; the others say what the effect is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scar.reporting.paper import deviation_effects as effects


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference.

    Attributes:
        topic: a few words.
        paper: what the text says.
        published: what the published numbers were made with.
        ours: what this project does.
        effect: computes one sentence on how much it matters.
    """

    topic: str
    paper: str
    published: str
    ours: str
    effect: Callable[[], str]


def _text(sentence: str) -> Callable[[], str]:
    return lambda: sentence


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        topic="Growth fit (Eq. 7)",
        paper="Regression of h and λ.",
        published="A grid search that always ends at its lower bound, λ = 10⁻⁴: h ≈ 10⁴ · min r · y; down-sampling has nearly no influence.",
        ours="`reference` reproduces it; `paper` is a two-parameter regression with bounds, an optional weak prior and flags.",
        effect=effects.say_decade,
    ),
    Deviation(
        topic="Factor ln F of the set size (Eq. 9)",
        paper="Not mentioned.",
        published="The root is multiplied by ln F, F = (1 − accuracy) / (1 − mean A), identically K/2 for arg-max decisions.",
        ours="Only in `reference`.",
        effect=effects.say_ratio,
    ),
    Deviation(
        topic="Order of the Bonferroni bound (Eq. 1, 9)",
        paper="Order 3, with the product as joint probability.",
        published="The same; sampled combinations where K is large.",
        ours="Exact polynomials, order 3 or 1. By Eq. 8 the product bounds the joint probability from below, so that order 3 is no upper bound; order 1, the union bound, is.",
        effect=effects.say_order,
    ),
    Deviation(
        topic="Two-sided gap (Eq. 2)",
        paper="P(E) ≤ |H| exp(−2nε²).",
        published="The same.",
        ours="The same; a gap in either direction would need a factor 2.",
        effect=effects.say_two_sided,
    ),
    Deviation(
        topic="Coverage of small samples (§3.2.2)",
        paper="1 − JSD between histogram and Gaussian.",
        published="The same; a class with a single sample counts.",
        ours="Measured as the paper says, undefined under 30 rightly classified samples; `paper` subtracts the value expected for a Gaussian sample of that size.",
        effect=effects.say_jsd,
    ),
    Deviation(
        topic="Set-level S and R (§4.3)",
        paper="Two measures.",
        published="S = min(1, N/FDS) and R = min(1, FDS/N): one number.",
        ours="Computed as written, and said so beside every table.",
        effect=effects.say_ones,
    ),
    Deviation(
        topic="Step-level S and R (§3.2)",
        paper="Scale and richness of each step.",
        published="With arg-max decisions no sample is invalid for K ≥ 3: S = 1/r, and R = A + (1 − A)(K − 2)/(K − 1).",
        ours="The same closed form for `argmax`; `threshold` (independent decisions) makes them informative.",
        effect=_text(
            "R − A is 1/2 of 1 − A at K = 3 and nearly 1 − A at K = 100; both shift the published CIFAR totals by at most one sample."
        ),
    ),
    Deviation(
        topic="Units of the plan (§4.2)",
        paper="Weights w ∝ FDS_j − m_j.",
        published="FDS_j counts samples of the whole set, m_j samples of one class: the plan is nearly uniform over classes.",
        ours="`scar` is the same reading, capped so that it spends a budget; `rule=published` reproduces the original. `scar_class_mix` (FDS_j · m_j / n) and `scar_even` (FDS_j / K) count samples of the class.",
        effect=effects.say_units,
    ),
    Deviation(
        topic="Rounding and caps of the plan",
        paper="Proportional.",
        published="⌊B w⌋, with B so small that no class reaches its reserve.",
        ours="Largest remainder under the caps, exactly the budget; a met need gets nothing; an undefined need, too small a class and an unseen one take the largest need and are flagged.",
        effect=_text(
            "All strategies add exactly the same number of samples, which the published floor does not ensure."
        ),
    ),
    Deviation(
        topic="Budget",
        paper="The reserve supplements the primary set.",
        published="About 95 % of the reserve in the balanced image and news sets: all arms train on nearly the same samples.",
        ours="5, 10 and 25 % of the reserve, never more than is needed, resolved once before any strategy.",
        effect=effects.say_budget,
    ),
    Deviation(
        topic="Does completion help?",
        paper="SCAR consistently superior or comparable.",
        published="Three runs, no paired comparison.",
        ours="Ten seeds or more, paired by seed and test item, with intervals; null results are printed.",
        effect=effects.say_margins,
    ),
    Deviation(
        topic="Decisions",
        paper="The largest logit.",
        published="The largest logit, which favours classes that were frequent in training.",
        ours="Both: raw, as published, and matched to the mix of the score (log π′ − log π added to the logits). The primary set with matched decisions, `re-weighted`, is in every comparison.",
        effect=_text(
            "Where additions even the classes out, most of a raw gain is the change of frequencies: in `experiment=quickstart` 3.8 points come from re-weighting alone, and SCAR's lead over random falls from 3.1 to 0.8 points at 10 % of the pool."
        ),
    ),
    Deviation(
        topic="Pool",
        paper="40 % of the data, class-aware.",
        published="The same: primary set and reserve have one class mix.",
        ours="`pool.mix`: the mix of the primary set under long tails, that of the data otherwise; any other on request, and named in every table.",
        effect=_text(
            "Where the reserve holds what a long tail lacks (`pool.mix=complement`), random additions repair the mix by themselves."
        ),
    ),
    Deviation(
        topic="±",
        paper="Mean and standard deviation.",
        published="Max − min of three runs.",
        ours="95 % intervals; the published format beside them.",
        effect=effects.say_spread,
    ),
    Deviation(
        topic="Early stopping",
        paper="Patience 5, at most 100 epochs, batch size 500.",
        published="On training accuracy, full batch; the best weights were aliased, so the last ones were kept. Unit-norm features then stop at the majority class.",
        ours="By default none: probes are trained to the optimum of a penalised objective on standardised features, λ chosen by the loss of a validation part (`probe=converged`). `probe=linear` follows the text: batch 500, stopped on the loss of a validation part, copied best weights. Probes that were not trained and arms at the majority rate are flagged.",
        effect=effects.say_constant,
    ),
    Deviation(
        topic="Samples each step may see",
        paper="60 % primary, 40 % reserve.",
        published="The test set of CIFAR-100 contained the training set; AudioCaps clusters were fitted separately on train and test; MSR-VTT kept two empty classes.",
        ours="Validation and held-out parts cut first; the test part is touched once; clusters are fitted on training data and assigned to test data.",
        effect=effects.say_leak,
    ),
    Deviation(
        topic="AG-News rows",
        paper="—",
        published="RoBERTa and GPT-2 are swapped between log and table; authenticity is the frequency of the predicted class.",
        ours="Shown with that note.",
        effect=_text("A note, no number of ours depends on it."),
    ),
    Deviation(
        topic="Foundation Data Size itself (Definition 1)",
        paper="From the bound of the concept space.",
        published="As above: almost a function of K.",
        ours="`heldout` measures Definition 1: the size at which the gap between held-out and training error falls to ε. It drives our plans.",
        effect=effects.say_function_of_k,
    ),
)


def deviations_markdown() -> str:
    """The page on deviations as Markdown."""
    lines = ["# Deviations", "", "Where the paper's text, its published numbers and this project differ, and how much it matters. Generated; effects are recomputed from the published figures.", ""]  # fmt: skip
    for entry in DEVIATIONS:
        lines += [f"## {entry.topic}", "", f"- Paper: {entry.paper}", f"- Published numbers: {entry.published}"]
        lines += [f"- Here: {entry.ours}", f"- Effect: {entry.effect()}", ""]
    return "\n".join(lines)
