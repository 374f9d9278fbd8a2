"""Algorithm 1: the order of the stages, what each is made from, and nothing else.

Every stage is asked for by its key. Keys follow from the configuration and from the fingerprint of the files, so that
the artefacts of a finished job are known without computing or loading anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.completion.problem import CompletionPlan, CompletionProblem, plan_completion, resolve_budgets
from scar.config import Config
from scar.data.catalogue import Catalogue, load_catalogue, save_catalogue
from scar.data.duplicates import exact_duplicates
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.unreadable import drop_unreadable, save_unreadable
from scar.embeddings import EmbeddingSet, extract
from scar.encoders.base import Encoder
from scar.evaluation import Scores, score
from scar.foundation.estimates import Estimate, estimate, load_estimates, save_estimates
from scar.labels import Steps, given_steps
from scar.measures.observations import Observations
from scar.randomness import derive_seed
from scar.splits import Split, draw_split
from scar.store import Key, Store, make_key
from scar.subsets import draw_subsets

if TYPE_CHECKING:
    from scar.probes import ProbeTask

SUBJECTS = ("primary", "total")
# The training sets that are characterized: what there is now, and everything.

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Arm:
    """One training set to be evaluated: primary, total, or primary plus a plan."""

    subject: str
    fraction: float | None
    key: Key


class Job:
    """The stages of one configuration over one store; every property is computed at most once.

    Args:
        config: validated configuration.
        store: where artefacts are looked up and published.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        self.data_dir = data_folder(config.paths.data_dir)

    # -- keys -------------------------------------------------------------------------------------------------------

    @cached_property
    def dataset_key(self) -> Key:
        """Content of the source: ids, labels, class names, splits."""
        source = self.config.dataset
        content = fingerprint(source.files(self.data_dir), memo=self.store.root / "fingerprints.json")
        return make_key(
            "dataset",
            config=source,
            upstream=[content],
            code=[type(source).__module__, *source.helpers, "scar.data.catalogue", "scar.data.duplicates"],
        )

    @property
    def embeddings_key(self) -> Key:
        """Embeddings of every sample of the source in the modality that is probed."""
        return self.tower_keys[self.config.probed]

    @cached_property
    def tower_keys(self) -> dict[str, Key]:
        """Embeddings of every sample of the source, by modality."""
        towers = self.config.encoder.towers()
        return {modality: self._tower_key(towers[modality]) for modality in self.config.modalities}

    def _tower_key(self, encoder: Encoder) -> Key:
        weights = fingerprint(encoder.weights(), memo=self.store.root / "fingerprints.json")
        code = [type(encoder).__module__, *encoder.helpers, "scar.embeddings"]
        return make_key("embeddings", config=encoder, upstream=[self.dataset_key, weights], code=code)

    @property
    def labels_key(self) -> Key:
        """Step functions of every sample: what the dataset gives, or what is made of it."""
        return self.dataset_key

    @cached_property
    def split_key(self) -> Key:
        """Validation, held-out, primary, reserve and test under the regime; redrawn for every seed."""
        config = self.config
        settings = {
            "labels": config.labels,
            "split": config.split,
            "regime": config.regime,
            "seed": config.seed,
        }
        code = ["scar.splits", "scar.data.stratify", "scar.randomness", type(config.regime).__module__]
        return make_key("split", config=settings, upstream=[self.labels_key], code=code)

    def observations_key(self, subject: str) -> Key:
        """Probes over the down-sampled subsets of a training set, and what they showed."""
        config, measured = self.config, self.config.foundation
        settings = {"subsets": config.subsets, "probe": config.probe, "subject": subject, "seed": config.seed}
        settings |= {"decision": measured.decision, "bins": measured.bins, "min_count": measured.min_count}
        code = ["scar.subsets", "scar.probes", "scar.observe", "scar.measures"]
        return make_key("observations", config=settings, upstream=[self.embeddings_key, self.split_key], code=code)

    def foundation_key(self, subject: str) -> Key:
        """Estimates of the Foundation Data Size by every estimator."""
        upstream = [self.observations_key(subject)]
        return make_key("foundation", config=self.config.foundation, upstream=upstream, code=["scar.foundation"])

    @cached_property
    def plan_key(self) -> Key:
        """The plans of the strategy, one per budget."""
        config = self.config
        settings = {"completion": config.completion, "budgets": config.budgets, "seed": config.seed}
        code = ["scar.completion.problem", "scar.completion.allocation", type(config.completion).__module__]
        return make_key("plan", config=settings, upstream=[self.foundation_key("primary"), self.split_key], code=code)

    @cached_property
    def arms(self) -> list[Arm]:
        """Everything that is trained and tested for this job."""
        arms: list[tuple[str, float | None, list[Key]]] = [(subject, None, []) for subject in SUBJECTS]
        arms += [(self.config.completion.name, f, [self.plan_key]) for f in self.config.budgets.fractions]
        return [Arm(subject, fraction, self._arm_key(subject, fraction, plan)) for subject, fraction, plan in arms]

    def _arm_key(self, subject: str, fraction: float | None, plan: list[Key]) -> Key:
        settings = {
            "probe": self.config.probe,
            "subject": subject,
            "fraction": fraction,
            "seed": self.config.seed,
        }
        upstream = [self.embeddings_key, self.split_key, *plan]
        return make_key("arm", config=settings, upstream=upstream, code=["scar.probes", "scar.evaluation"])

    @property
    def keys(self) -> list[Key]:
        """The final artefacts: the job is done while its record names exactly these."""
        return [
            *(self.foundation_key(subject) for subject in SUBJECTS),
            self.plan_key,
            *(arm.key for arm in self.arms),
        ]

    # -- stages -----------------------------------------------------------------------------------------------------

    @cached_property
    def catalogue(self) -> Catalogue:
        """Ids, labels, class names, splits and groups of the source; no payloads."""

        def make(folder: Path) -> None:
            source = self.config.dataset
            samples, notes = source.load(self.data_dir), []
            if source.on_error == "skip":
                samples, unreadable = drop_unreadable(samples, name=source.name, max_share=source.max_unreadable)
                notes += save_unreadable(folder, unreadable)
            duplicates = exact_duplicates(samples)
            notes += [str(duplicates)] if duplicates.groups else []
            save_catalogue(folder, samples, notes=tuple(notes))

        return load_catalogue(self.store.obtain(self.dataset_key, make))

    @cached_property
    def embeddings(self) -> EmbeddingSet:
        """[N, D] embeddings of the modality that is probed, memory-mapped."""
        return self.tower(self.config.probed)

    def tower(self, modality: str) -> EmbeddingSet:
        """Return the [N, D] embeddings of one modality, aligned with the catalogue."""
        key, encoder = self.tower_keys[modality], self.config.encoder.towers()[modality]

        def make(folder: Path) -> None:
            samples, kept = self.config.dataset.load(self.data_dir), self.catalogue.ids
            if len(kept) < len(samples):
                samples = samples.take(np.flatnonzero(np.isin(samples.ids, kept)))
            partial = self.store.root / "partial" / key.digest  # shards survive an interruption
            extract(samples, encoder, folder, partial=partial)

        return EmbeddingSet.load(self.store.obtain(key, make, encoder=encoder.name))

    @property
    def steps(self) -> Steps:
        """The step functions: labels [N] and their names."""
        return given_steps(self.catalogue)

    @cached_property
    def split(self) -> Split:
        """The parts that each step may see."""

        def make(folder: Path) -> None:
            catalogue, config = self.catalogue, self.config
            groups = catalogue.group(config.split.group) if config.split.group else None
            split = draw_split(
                self.steps.labels,
                train=catalogue.rows("train"),
                test=catalogue.rows("test"),
                config=config.split,
                seed=config.seed,
                groups=groups,
            )
            split = config.regime.apply(split, num_classes=self.num_classes, seed=config.seed)
            split.save(folder / "split.npz")

        return Split.load(self.store.obtain(self.split_key, make) / "split.npz")

    @property
    def num_classes(self) -> int:
        """Number of step functions K."""
        return len(self.steps.names)

    def observations(self, subject: str) -> Observations:
        """What the probes on the subsets of a training set showed."""

        def make(folder: Path) -> None:
            from scar.observe import observe

            config, split = self.config, self.split
            subsets = draw_subsets(getattr(split, subject), split.labels, config.subsets, seed=config.seed)
            probes = self._train([(s.rows, derive_seed(config.seed, "probe", s.factor, s.part)) for s in subsets])
            observations = observe(
                probes,
                subsets,
                self.embeddings.array(),
                split.labels,
                num_classes=self.num_classes,
                heldout=split.heldout,
                decision=config.foundation.decision,
                bins=config.foundation.bins,
                min_count=config.foundation.min_count,
            )
            probes.save(folder)
            observations.save(folder / "observations.npz")

        return Observations.load(self.store.obtain(self.observations_key(subject), make) / "observations.npz")

    def foundation(self, subject: str) -> dict[str, Estimate]:
        """Estimates by every estimator."""

        def make(folder: Path) -> None:
            save_estimates(folder / "foundation.json", estimate(self.observations(subject), self.config.foundation))

        return load_estimates(self.store.obtain(self.foundation_key(subject), make) / "foundation.json")

    @property
    def problem(self) -> CompletionProblem:
        """Counts, reserve and needs by class, as the driver sees them."""
        counts = self.split.class_sizes("primary", self.num_classes)
        return CompletionProblem(
            counts=counts,
            reserve=self.split.class_sizes("reserve", self.num_classes),
            needs=self.foundation("primary")[self.config.budgets.driver].class_needs(counts),
            class_names=self.steps.names,
        )

    @cached_property
    def plans(self) -> list[CompletionPlan]:
        """The plans of the strategy, one per budget."""

        def make(folder: Path) -> None:
            problem, split = self.problem, self.split
            plans = plan_completion(
                self.config.completion,
                problem,
                resolve_budgets(self.config.budgets.fractions, problem),
                reserve=split.reserve,
                labels=split.labels,
                seed=self.config.seed,
            )
            for index, plan in enumerate(plans):
                plan.save(folder / f"plan-{index:03d}.npz")

        folder = self.store.obtain(self.plan_key, make)
        return [CompletionPlan.load(path) for path in sorted(folder.glob("plan-*.npz"))]

    def training_rows(self, arm: Arm) -> Ints:
        """Rows that an arm trains on."""
        if arm.fraction is None:
            rows: Ints = getattr(self.split, arm.subject)
            return rows
        plan = next(plan for plan in self.plans if plan.fraction == arm.fraction)
        return np.sort(np.concatenate([self.split.primary, plan.rows]))

    def evaluate(self) -> dict[Arm, Scores]:
        """Train the arms that are missing, together, and score all of them on the test part."""
        by_key = {arm.key: arm for arm in self.arms}
        with self.store.claim(list(by_key)) as missing:
            if missing:
                seed = derive_seed(self.config.seed, "evaluation")
                probes = self._train([(self.training_rows(by_key[key]), seed) for key in missing])
                test = self.embeddings.array()[self.split.test]
                for index, key in enumerate(missing):
                    with self.store.writing(key) as folder:
                        probes.select([index]).save(folder)
                        np.save(folder / "predictions.npy", probes.predict(index, test), allow_pickle=False)
        truth = self.split.labels[self.split.test]
        return {arm: score(np.load(self.store.path(arm.key) / "predictions.npy"), truth) for arm in self.arms}

    def _train(self, tasks: Sequence[tuple[Ints, int]]) -> Any:
        from scar.probes import ProbeTask, train_probes

        split = self.split
        bank: list[ProbeTask] = [ProbeTask(train=rows, validation=split.validation, seed=seed) for rows, seed in tasks]
        return train_probes(
            self.embeddings.array(),
            split.labels,
            bank,
            num_classes=self.num_classes,
            config=self.config.probe,
            trainer=self.config.trainer,
        )
