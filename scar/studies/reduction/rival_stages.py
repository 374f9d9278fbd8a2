"""Choices of pairs that stand beside the paper's: by score, without near-duplicates, with repeats, by need."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.api import characterize
from scar.common.files import read_json, write_json
from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats, Floats32, Ints
from scar.common.vectors import unit_rows
from scar.reduction.choices import (
    best_of_groups,
    closeness_to_centres,
    draw_with_repeats,
    near_duplicates,
    rank_within,
    share_by_need,
    thumbnails,
)
from scar.reduction.cluster_features import cluster_features
from scar.reduction.contrastive_scores import negative_clip_loss, norm_similarity
from scar.reduction.keep import clusters_for, keep
from scar.reduction.mixing import Mixture, draw_mixtures, learn_mixture
from scar.reduction.pair_score import filter_pairs, pair_score
from scar.reduction.rival_settings import RivalSettings
from scar.sampling.clusters import KMeans, fit_clusters
from scar.store.keys import Key, make_key
from scar.studies.reduction.arms import RIVALS, PairArm
from scar.studies.reduction.pair_model_results import train_plain
from scar.studies.reduction.pair_scorers import FOLDS
from scar.studies.reduction.reduction_stages import ReductionStages

_TIES = 1e-3
"""Weight of the rank of the score beside a distance in levels: of two that lie equally near, the better one stays."""
MIXED = ("mixing", "mixing_clean")
"""Rivals whose weights are learned."""


class RivalStages(ReductionStages):
    """The choices of `RIVALS`: every one has the size of the reduced set, and draws as the paper does unless it says so.

    - ``"similarity"``: the pairs with the lowest scores are left out, then the same share is drawn of every cluster of codes.
    - ``"neg_clip_loss"``: the same by the negative CLIP loss.
    - ``"norm_sim"``: half of the pairs by the negative CLIP loss, of these the ones whose images lie nearest to those of
      the validation part.
    - ``"dedup"``: one pair of each group of near-duplicates in meaning, then drawn.
    - ``"similarity_dedup"``: the filter by score and one pair, the one in the middle of what is left, of each group of
      near-duplicates to the eye (or by ``rivals.groups=embeddings``), then drawn.
    - ``"soft_cap"``: the filter by score, then drawn with repeats.
    - ``"need"``: every concept gets its share by need, drawn at random within.
    - ``"mixing"``: every concept gets the share that small models of random mixtures do best with on the validation part.
    - ``"need_clean"``, ``"mixing_clean"``: the same after both filters.
    """

    @property
    def _rivals(self) -> RivalSettings:
        return self.reduction.rivals

    @property
    def budget(self) -> int:
        """Pairs of a reduced set."""
        return round(self.reduction.share * len(self.pairs.train))

    @cached_property
    def ranked(self) -> dict[str, Floats]:
        """[n] ranks of every score within the pairs that one model scores."""
        images, texts = self.embedded
        found = {"similarity": pair_score(images, texts)}
        for name in ("neg_clip_loss", "norm_sim"):
            found[name] = np.empty(len(images))
        for fold in range(FOLDS):
            rows = np.flatnonzero(self.folds == fold)
            model = self.scorer(fold)
            found["neg_clip_loss"][rows] = negative_clip_loss(
                images[rows], texts[rows], temperature=self.temperature(fold),
                batch_size=self.reduction.pair_model.batch_size, seed=self.config.seed,
            )  # fmt: skip
            wanted = model.embed_images(self.inputs[self.pairs.validation])
            found["norm_sim"][rows] = norm_similarity(images[rows], wanted)
        return {name: rank_within(each, self.folds) for name, each in found.items()}

    @cached_property
    def duplicate_groups(self) -> Ints:
        """[n] group of near-duplicates of every training pair for the rules with both filters, as ``rivals.groups`` says."""
        if self._rivals.groups == "embeddings":
            return self.semantic_groups
        return near_duplicates(thumbnails(self._images()), self._rivals.levels)

    @cached_property
    def semantic_groups(self) -> Ints:
        """[n] group of near-duplicates of every training pair, by the frozen embedding of its image."""
        radius = float(np.sqrt(2 - 2 * self._rivals.cosine))
        return near_duplicates(unit_rows(self.frozen_images[self.pairs.train]), radius)

    def clean(self) -> NDArray[np.bool_]:
        """Return [n] pairs that both filters leave."""
        fits = filter_pairs(self.ranked["similarity"], share=self._rivals.filtered)
        if self._rivals.representative == "best":
            order = self.ranked["similarity"]
        else:
            closeness = closeness_to_centres(thumbnails(self._images()), self.duplicate_groups, fits)
            order = closeness + _TIES * self.ranked["similarity"]
        return self._enough(best_of_groups(self.duplicate_groups, np.where(fits, order, -np.inf)))

    def _enough(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return [n] pairs that are allowed; where they are fewer than are kept, the others with the highest scores as well."""
        missing = self.budget - int(allowed.sum())
        if missing > 0:
            others = np.where(allowed, -np.inf, self.ranked["similarity"])
            allowed = allowed | np.isin(np.arange(len(allowed)), np.argsort(-others, kind="stable")[:missing])
        return allowed

    @cached_property
    def concepts(self) -> Ints:
        """[n] concept of every training pair: clusters of image and caption together, a third as many as the sampler has."""
        rows = np.concatenate(self._modalities(), axis=1)
        count = max(2, clusters_for(len(rows)) // 3)
        seed = derive_seed(self.config.seed, "concepts")
        return fit_clusters(rows, count, seed=seed, settings=KMeans()).labels

    def _modalities(self) -> tuple[Floats32, Floats32]:
        return unit_rows(self.frozen_images[self.pairs.train]), unit_rows(self.text_encoder(self.original))

    @cached_property
    def needs(self) -> dict[str, Floats]:
        """[K] Foundation Data Size of every concept by modality, held-out; what is undefined counts as all there is."""
        upstream = [self.frozen_key(), self.pairs_key]
        settings = {"probe": self.config.probe, "foundation": self.config.foundation, "seed": self.config.seed}
        key = make_key("concept_needs", config=settings, upstream=upstream, code=[RivalStages._needs])

        def make(folder: Path) -> None:
            write_json(folder / "needs.json", self._needs())

        found = self.store.load(key, make, lambda folder: read_json(folder / "needs.json"))
        return {name: np.array([np.inf if each is None else each for each in needs]) for name, needs in found.items()}

    def _needs(self) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for name, rows in zip(("image", "text"), self._modalities(), strict=True):
            answer = characterize(
                rows, self.concepts, random_state=self.config.seed, probe=self.config.probe,
                foundation=self.config.foundation,
            )  # fmt: skip
            needs = answer.estimates["heldout"].class_needs(answer.counts)
            found[name] = [float(need) if np.isfinite(need) else None for need in needs]
        return found

    def by_need(self, allowed: NDArray[np.bool_], seed: int) -> Ints:
        """Return the rows that are kept where every concept gets its share by the larger of its two needs."""
        have = np.bincount(self.concepts)
        needs = np.minimum(np.maximum(self.needs["image"], self.needs["text"]), have)
        return self._of_concepts(share_by_need(needs, self._left(allowed), self.budget), allowed, seed)

    def _left(self, allowed: NDArray[np.bool_]) -> Ints:
        """Return [K] the allowed pairs of every concept."""
        return np.bincount(self.concepts[allowed], minlength=int(self.concepts.max()) + 1)

    def _of_concepts(self, counts: Ints, allowed: NDArray[np.bool_], seed: int) -> Ints:
        """Draw so many of the allowed rows of every concept [K]."""
        order = generator(seed, "pairs by need").permutation(np.flatnonzero(allowed))
        rows = [order[self.concepts[order] == concept][:count] for concept, count in enumerate(counts.tolist())]
        return np.sort(np.concatenate(rows))

    def mixture(self, *, clean: bool) -> Mixture:
        """Return the weights of the concepts that were learned, of all pairs or of those that both filters leave."""
        about = read_json(self._mixture(clean=clean) / "mixture.json")
        return Mixture(
            counts=np.array(about["counts"], np.int64),
            effects=np.array(about["effects"]),
            rank_correlation=about["rank_correlation"],
        )

    def mixture_key(self, *, clean: bool) -> Key:
        """The weights that were learned."""
        settings = {"rivals": self._rivals, "pair_model": self.reduction.pair_model, "seed": self.config.seed}
        settings |= {"clean": clean, "budget": self.budget}
        upstream = [*self.inputs_key, self.frozen_key(), *self._scorer_keys()]
        return make_key("mixture", config=settings, upstream=upstream, code=[RivalStages._learn, train_plain])

    def _mixture(self, *, clean: bool) -> Path:
        def make(folder: Path, partial: Path) -> None:
            write_json(folder / "mixture.json", self._learn(partial, clean=clean))

        return self._obtain(self.mixture_key(clean=clean), make)

    def _learn(self, folder: Path, *, clean: bool) -> dict[str, Any]:
        """Train a small model of every random mixture, and learn from what each does on the validation part."""
        allowed = self.clean() if clean else np.ones(len(self.pairs.train), bool)
        left, seed = self._left(allowed), self.config.seed
        drawn = draw_mixtures(left, self.budget, self._rivals.mixtures, seed=seed)
        steps = min(self._rivals.mixture_steps, self.reduction.pair_model.steps)
        config, achieved = replace(self.reduction.pair_model, steps=steps, checkpoints=1), []
        for turn, counts in enumerate(drawn):
            rows = self._of_concepts(counts, allowed, derive_seed(seed, "mixture", turn))
            model = train_plain(
                config, self.pairs, self.inputs, rows, self.original, seed=seed, folder=folder / str(turn)
            )
            achieved.append(float(model.seen[steps]["validation"]))
        found = learn_mixture(drawn, achieved, left, self.budget, seed=seed)
        about = {"counts": found.counts.tolist(), "effects": found.effects.tolist(), "achieved": achieved}
        return about | {"rank_correlation": found.rank_correlation}

    def choose(self, rival: str, seed: int) -> Ints:
        """Return the rows [m] that a rival keeps."""
        ranked, every = self.ranked, np.ones(len(self.pairs.train), bool)
        if rival == "need":
            return self.by_need(every, seed)
        if rival == "need_clean":
            return self.by_need(self.clean(), seed)
        if rival in MIXED:
            clean = rival == "mixing_clean"
            allowed = self.clean() if clean else every
            return self._of_concepts(self.mixture(clean=clean).counts, allowed, seed)
        if rival == "norm_sim":
            left = np.flatnonzero(filter_pairs(ranked["neg_clip_loss"], share=1 - self._rivals.target))
            return np.sort(left[np.argsort(-ranked["norm_sim"][left], kind="stable")[: self.budget]])
        fits = filter_pairs(ranked["similarity"], share=self._rivals.filtered)
        if rival == "soft_cap":
            weights = np.where(fits, ranked["similarity"] / self._rivals.temperature, -np.inf)
            return draw_with_repeats(weights, self.budget, penalty=self._rivals.penalty, seed=seed)
        allowed = {
            "similarity": lambda: fits,
            "neg_clip_loss": lambda: filter_pairs(ranked["neg_clip_loss"], share=self._rivals.filtered),
            "dedup": lambda: best_of_groups(self.semantic_groups, generator(seed, "dedup").random(len(fits))),
            "similarity_dedup": self.clean,
        }[rival]()
        return self._draw(self._enough(allowed), seed)

    def _draw(self, allowed: NDArray[np.bool_], seed: int) -> Ints:
        """Return rows drawn as the paper does, the same share of every cluster of codes, among those allowed."""
        own, ids = self.reduction, self.pairs.ids[self.pairs.train]
        features = cluster_features(own.features, self.codes(own), ids=ids, components=own.components)
        return keep(
            features, share=own.share, clusters=own.clusters, rule="uniform", seed=seed, ids=ids, allowed=allowed
        ).rows

    def choice_key(self, arm: PairArm, seed: int) -> list[Key]:
        """What decides which training pairs an arm has."""
        if arm.pairs not in RIVALS:
            return super().choice_key(arm, seed)
        return [self.rival_key(arm.pairs, seed)]

    def rival_key(self, rival: str, seed: int) -> Key:
        """The pairs that a rival keeps."""
        own = self.reduction
        settings = {
            "rival": rival,
            "seed": seed,
            "settings": self._rivals,
            "share": own.share,
            "features": own.features,
        }
        settings |= {"components": own.components, "clusters": own.clusters, "probe": self.config.probe}
        upstream = [self.captioner_key(own), self.frozen_key(), *self._scorer_keys()]
        upstream += [self.mixture_key(clean=rival == "mixing_clean")] if rival in MIXED else []
        return make_key("rival", config=settings, upstream=upstream, code=[RivalStages])

    def rows_of(self, arm: PairArm, seed: int) -> Ints:
        """Return positions [m] among the training pairs that an arm trains on."""
        if arm.pairs not in RIVALS:
            return super().rows_of(arm, seed)
        return self.store.load_array(self.rival_key(arm.pairs, seed), "rows.npy", lambda: self.choose(arm.pairs, seed))
