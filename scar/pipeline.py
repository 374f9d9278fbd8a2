"""Algorithm 1: the order of the stages, what each is made from, and nothing else.

Every stage is asked for by its key. Keys follow from the configuration and from the fingerprint of the files, so that
the artefacts of a finished job are known without computing or loading anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.completion.consensus import voters
from scar.completion.curves import fit_curves
from scar.completion.joint import Direction, plan_jointly
from scar.completion.outlook import Outlook, look_ahead, to_collect
from scar.completion.plan import CompletionPlan, plan_completion, random_order
from scar.completion.pool import UnlabelledPool, UnlabelledView
from scar.completion.problem import CompletionProblem, resolve_budgets
from scar.completion.state import state_problem
from scar.config import Config
from scar.data.catalogue import Catalogue, load_catalogue, save_catalogue
from scar.data.duplicates import content_hashes, exact_duplicates
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.undecoded import undecoded
from scar.data.unreadable import drop_unreadable, save_unreadable
from scar.embedding_cost import read_cost
from scar.embeddings import EmbeddingSet
from scar.encoders.base import Encoder
from scar.evaluation import Scores, score
from scar.extraction import KeptSamples, embed_shards, embed_together, merge_shards
from scar.foundation.estimates import Estimate, estimate, load_estimates, save_estimates
from scar.labels import CrossModalLabels, Steps, given_steps
from scar.measures.observations import Observations
from scar.pairs import Alignment, Supervision, align, has_joint_space, supervise
from scar.progress import probe_bar
from scar.randomness import derive_seed
from scar.ranks import everywhere
from scar.reuse import CONTENTS, find_reusable
from scar.selection.base import Pool
from scar.selection.pool import make_pool
from scar.splits import Split, draw_split
from scar.store import Key, Store, make_key
from scar.subsets import draw_subsets

if TYPE_CHECKING:
    from scar.probes import ProbeSet, ProbeTask

SUBJECTS = ("primary", "total")
# The training sets that are characterized: what there is now, and everything.

SUPERVISION = tuple(f"scar.pairs.{module}" for module in ("captions", "supervision", "words"))
# Modules that decide the clusters of pairs.

PLANNING = ("allocation", "budgets", "calibration", "curves", "plan", "pool", "problem", "sharing", "state")
# Modules of the completion that every plan depends on, whoever the planner is.

PREDICTIONS = "predictions.npy"
# Of an arm: its [n_test] predicted classes.

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
        return make_key("embeddings", upstream=[self.dataset_key, str(self._encoder_key(encoder))])

    def _encoder_key(self, encoder: Encoder) -> Key:
        """What an encoder makes of a payload, whatever the dataset."""
        weights = fingerprint(encoder.weights(), memo=self.store.root / "fingerprints.json")
        code = [type(encoder).__module__, *encoder.helpers, "scar.embeddings", "scar.extraction", "scar.reuse"]
        return make_key("encoder", config=encoder, upstream=[weights], code=code)

    @property
    def labels_key(self) -> Key:
        """Step functions of every sample: what the dataset gives, or clusters of its modalities, the same both ways."""
        labels = self.config.labels
        if not isinstance(labels, CrossModalLabels):
            return self.dataset_key
        return make_key("labels", config=labels, upstream=self._both_towers, code=["scar.clusters", *SUPERVISION])

    @property
    def alignment_key(self) -> Key:
        """How well the two modalities of pairs agree."""
        code = ["scar.clusters", "scar.pairs.alignment", "scar.pairs.retrieval"]
        return make_key("alignment", upstream=[self.labels_key, *self._both_towers], code=code)

    @property
    def _both_towers(self) -> list[Key]:
        """Keys of the embeddings in an order that does not depend on the configuration."""
        return [self.tower_keys[modality] for modality in sorted(self.tower_keys)]

    @property
    def is_cross_modal(self) -> bool:
        """Whether clusters of one modality are the step functions of the other."""
        return isinstance(self.config.labels, CrossModalLabels)

    @property
    def plans_jointly(self) -> bool:
        """Whether one plan serves both directions."""
        return bool(getattr(self.config.completion, "is_joint", False))

    @cached_property
    def twin(self) -> Job:
        """The job of the other direction."""
        (other,) = (each for each in self.config.modalities if each != self.config.probed)
        return Job(replace(self.config, modality=other), self.store)

    @cached_property
    def siblings(self) -> tuple[Job, ...]:
        """The jobs of the other encoders whose needs the planner asks for; none for most planners."""
        others = voters(self.config.completion, self.config.encoder, self.config.probed)
        return tuple(Job(replace(self.config, encoder=each), self.store) for each in others)

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
        if self.is_cross_modal:  # the rows are those of the other direction, the labels are not
            settings["modality"] = config.probed
        code = ["scar.splits", "scar.data.stratify", "scar.randomness", type(config.regime).__module__]
        upstream = [self.labels_key, *([self.embeddings_key] if config.regime.needs_features else [])]
        return make_key("split", config=settings, upstream=upstream, code=code)

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
        config, planner = self.config, self.config.completion
        settings = {"completion": planner, "selection": config.selection, "seed": config.seed}
        settings |= {"budgets": config.budgets.planned, "modalities": config.modalities, "pool": config.pool}
        upstream = [self.foundation_key("primary"), self.split_key]
        upstream += [self.observations_key("total")] if getattr(planner, "sees_reserve", False) else []
        upstream += [self.twin.foundation_key("primary"), self.twin.split_key] if self.plans_jointly else []
        upstream += [job.foundation_key("primary") for job in self.siblings]
        code = [f"scar.completion.{part}" for part in PLANNING]
        code += ["scar.selection.base", "scar.selection.pool", type(config.selection).__module__]
        code += getattr(config.selection, "helpers", ())
        code += [type(planner).__module__, *getattr(planner, "helpers", ())]
        return make_key("plan", config=settings, upstream=upstream, code=code)

    @cached_property
    def outlook_key(self) -> Key | None:
        """What the strategy promises over budgets, and its shopping list; None for a plan for two modalities at once."""
        if getattr(self.config.completion, "is_joint", False):
            return None
        settings = {"what_if": self.config.budgets.what_if, "collect": self.config.budgets.collect}
        upstream = [self.plan_key, *(job.foundation_key("total") for job in (self, *self.siblings))]
        return make_key("outlook", config=settings, upstream=upstream, code=["scar.completion.outlook"])

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
            *([self.outlook_key] if self.outlook_key else []),
            *([self.alignment_key] if self.is_cross_modal else []),
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
            contents = content_hashes(undecoded(samples))
            duplicates = exact_duplicates(samples, hashes=contents)
            notes += [str(duplicates)] if duplicates.groups else []
            save_catalogue(folder, samples, tuple(notes), contents)

        return self.store.load(self.dataset_key, make, load_catalogue)

    @cached_property
    def embeddings(self) -> EmbeddingSet:
        """[N, D] embeddings of the modality that is probed, memory-mapped."""
        return self.tower(self.config.probed)

    def tower(self, modality: str) -> EmbeddingSet:
        """Return the [N, D] embeddings of one modality, aligned with the catalogue."""
        key, encoder = self.tower_keys[modality], self.config.encoder.towers()[modality]
        partial = self.store.root / "partial" / key.digest  # shards survive an interruption, and jobs share them
        reuse, same = None, self._encoder_key(encoder).digest
        if not self.store.has(key) and self.store.policy != "only-cache":
            final = None if self.store.policy == "refresh" else self.store.path(key)
            with self.store.booked(key.stage):
                if self.store.policy == "reuse" and not encoder.learns:
                    reuse = find_reusable(self.store, same, self.catalogue.contents[modality])
                everywhere(embed_together, self._samples, encoder, partial, final, reuse)

        def make(folder: Path) -> None:
            samples = self._samples()
            embed_shards(samples, encoder, partial, reuse=reuse)
            merge_shards(samples, encoder, partial, folder)
            np.save(folder / CONTENTS, self.catalogue.contents[modality], allow_pickle=False)

        embeddings = self.store.load(key, make, EmbeddingSet.load, encoder=encoder.name, tower=same)
        shutil.rmtree(partial, ignore_errors=True)
        return embeddings

    def encoder_cost(self) -> dict[str, Any]:
        """Return what the embeddings that are probed have cost, and how large they are."""
        rows = sum(len(shard) for shard in self.embeddings.shards)
        size = {"samples": len(self.embeddings), "rows": rows, "dimension": self.embeddings.dimension}
        return size | read_cost(self.store.path(self.embeddings_key))

    @property
    def _samples(self) -> KeptSamples:
        """Reads the samples that the catalogue kept."""
        return KeptSamples(self.config.dataset, self.data_dir, self.catalogue.ids)

    @cached_property
    def supervision(self) -> Supervision:
        """The clusters of both modalities of pairs."""
        labels = self.config.labels
        assert isinstance(labels, CrossModalLabels)

        def make(folder: Path) -> None:
            towers = {modality: self.tower(modality) for modality in self.config.modalities}
            catalogue, texts = self.catalogue, self._samples().payloads.get("text") if labels.words else None
            train = catalogue.rows("train")
            supervise(towers, ids=catalogue.ids, train=train, config=labels, texts=texts).save(folder)

        return self.store.load(self.labels_key, make, Supervision.load)

    @cached_property
    def alignment(self) -> Alignment:
        """Agreement of the two modalities of pairs."""

        def make(folder: Path) -> None:
            towers = {modality: self.tower(modality) for modality in self.config.modalities}
            train, test = (self.catalogue.rows(part) for part in ("train", "test"))
            joint = has_joint_space(self.config.encoder, towers)
            align(towers, self.supervision, train=train, test=test, joint=joint).save(folder / "alignment.json")

        return self.store.load(self.alignment_key, make, lambda folder: Alignment.load(folder / "alignment.json"))

    @cached_property
    def steps(self) -> Steps:
        """The step functions: labels [N] and their names."""
        return self.supervision.labels_for(self.config.probed) if self.is_cross_modal else given_steps(self.catalogue)

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
                strata=self.supervision.cells if self.is_cross_modal else None,
            )
            features = self.embeddings.array() if config.regime.needs_features else None
            split = config.regime.apply(split, num_classes=self.num_classes, seed=config.seed, features=features)
            split.save(folder / "split.npz")

        return self.store.load(self.split_key, make, lambda folder: Split.load(folder / "split.npz"))

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

        key = self.observations_key(subject)
        return self.store.load(key, make, lambda folder: Observations.load(folder / "observations.npz"))

    def foundation(self, subject: str) -> dict[str, Estimate]:
        """Estimates by every estimator."""

        def make(folder: Path) -> None:
            save_estimates(folder / "foundation.json", estimate(self.observations(subject), self.config.foundation))

        key = self.foundation_key(subject)
        return self.store.load(key, make, lambda folder: load_estimates(folder / "foundation.json"))

    @cached_property
    def problem(self) -> CompletionProblem:
        """Counts, reserve, needs and limits by class, as the driver sees them."""
        return self._state("primary")

    def _state(self, subject: str) -> CompletionProblem:
        config, split = self.config, self.split
        truth = None
        if getattr(config.completion, "sees_reserve", False):
            truth = fit_curves(self.observations("total"), split.class_sizes("total", self.num_classes))
        return state_problem(
            counts=split.class_sizes(subject, self.num_classes),
            reserve=np.bincount(self.planned_labels[split.reserve], minlength=self.num_classes),
            class_names=self.steps.names,
            estimate=self.foundation(subject)[config.budgets.driver],
            observations=self.observations(subject),
            budgets=config.budgets,
            modalities=config.modalities,
            truth=truth,
            votes=self._votes(subject),
        )

    def _votes(self, subject: str) -> NDArray[np.float64] | None:
        """Return the needs [E, K] as each encoder of a consensus sees them, this job's own first."""
        if not self.siblings:
            return None
        counts, driver = self.split.class_sizes(subject, self.num_classes), self.config.budgets.driver
        estimates = [job.foundation(subject)[driver] for job in (self, *self.siblings)]
        return np.stack([each.class_needs(counts) for each in estimates])

    @cached_property
    def plans(self) -> list[CompletionPlan]:
        """The plans of the strategy, one per budget."""

        def make(folder: Path) -> None:
            for index, plan in enumerate(self._joint_plans() if self.plans_jointly else self._plans()):
                plan.save(folder / f"plan-{index:03d}.npz")

        def read(folder: Path) -> list[CompletionPlan]:
            return [CompletionPlan.load(path) for path in sorted(folder.glob("plan-*.npz"))]

        return self.store.load(self.plan_key, make, read)

    def _plans(self) -> list[CompletionPlan]:
        config, problem = self.config, self.problem
        return plan_completion(
            config.completion,
            problem,
            resolve_budgets(config.budgets.fractions, problem),
            reserve=self.split.reserve,
            labels=self.planned_labels,
            seed=config.seed,
            selection=config.selection,
            pool=self._pool(),
        )

    def _joint_plans(self) -> list[CompletionPlan]:
        """The plans that serve this direction and the other one; the rows are the same in both."""
        jobs = {job.config.probed: job for job in (self, self.twin)}
        return plan_jointly(
            self.config.completion,
            {modality: Direction.of(job.problem, job.split, job.planned_labels) for modality, job in jobs.items()},
            probed=self.config.probed,
            fractions=self.config.budgets.fractions,
            seed=self.config.seed,
        )

    @cached_property
    def outlook(self) -> Outlook | None:
        """What the strategy promises over budgets, and its shopping list."""
        if self.outlook_key is None:
            return None

        def make(folder: Path) -> None:
            config, split = self.config, self.split
            known = "total" if self.unlabelled is None else "primary"
            outlook = look_ahead(
                config.completion,
                self.problem,
                to_collect(self._state(known)),
                order=self.planned_labels[random_order(split.reserve, config.seed)],
                fractions=sorted({*config.budgets.what_if, *config.budgets.fractions}),
                collect=config.budgets.collect,
                level=config.foundation.level,
            )
            outlook.save(folder / "outlook.npz")

        return self.store.load(self.outlook_key, make, lambda folder: Outlook.load(folder / "outlook.npz"))

    @cached_property
    def unlabelled(self) -> UnlabelledView | None:
        """The reserve as the probe of the primary set sees it, where its labels are hidden."""
        pool, key = self.config.pool, self.observations_key("primary")
        if not isinstance(pool, UnlabelledPool):
            return None
        from scar.probes import ProbeSet

        self.observations("primary")
        probes = ProbeSet.load(self.store.path(key))
        return UnlabelledView.of(pool, probes, self.embeddings.array(), self.split, seed=self.config.seed)

    @property
    def planned_labels(self) -> Ints:
        """[N] the classes that planning may see: those of an unlabelled reserve are predicted."""
        labels = self.split.labels
        return labels if self.unlabelled is None else self.unlabelled.labels(labels)

    def _pool(self) -> Pool | None:
        """What the selection looks at; its probe is the one of the whole primary set."""
        selection, split = self.config.selection, self.split
        if not (selection.needs_features or selection.needs_margins):
            return None
        from scar.probes import ProbeSet

        rows = random_order(split.reserve, self.config.seed)
        return make_pool(
            selection,
            self.embeddings.array(),
            rows=rows,
            classes=self.planned_labels[rows],
            anchors=split.primary,
            anchor_classes=split.labels[split.primary],
            probe=ProbeSet.load(self.store.path(self.observations_key("primary"))),
        )

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
            self.train_arms({key: self.training_rows(by_key[key]) for key in missing})
        truth = self.split.labels[self.split.test]
        return {arm: score(self._predictions(arm), truth) for arm in self.arms}

    def _predictions(self, arm: Arm) -> Ints:
        """Read what an arm predicts for the test part."""

        def make(folder: Path) -> None:
            self._save_arm(folder, self._train_rows([self.training_rows(arm)]))

        def read(folder: Path) -> Ints:
            predictions: Ints = np.load(folder / PREDICTIONS, allow_pickle=False)
            return predictions

        return self.store.load(arm.key, make, read)

    def train_arms(self, rows: Mapping[Key, Ints]) -> None:
        """Train one probe per training set in one call, and publish each with its predictions on the test part."""
        if not rows:
            return
        probes = self._train_rows(list(rows.values()))
        for index, key in enumerate(rows):
            with self.store.writing(key) as folder:
                self._save_arm(folder, probes.select([index]))

    def _train_rows(self, rows: Sequence[Ints]) -> ProbeSet:
        seed = derive_seed(self.config.seed, "evaluation")
        return self._train([(each, seed) for each in rows])

    def _save_arm(self, folder: Path, probe: ProbeSet) -> None:
        test = self.embeddings.array()[self.split.test]
        probe.save(folder)
        np.save(folder / PREDICTIONS, probe.predict(0, test), allow_pickle=False)

    def _train(self, tasks: Sequence[tuple[Ints, int]]) -> ProbeSet:
        from scar.probes import ProbeTask, train_probes

        split = self.split
        bank: list[ProbeTask] = [ProbeTask(train=rows, validation=split.validation, seed=seed) for rows, seed in tasks]
        data = (self.embeddings.array(), split.labels, bank)
        settings: dict[str, Any] = {"num_classes": self.num_classes}
        settings |= {"config": self.config.probe, "trainer": self.config.trainer}
        if self.config.trainer.strategy == "ddp":
            return everywhere(train_probes, *data, **settings)
        with probe_bar(len(bank)) as tell:
            return train_probes(*data, **settings, progress=tell)
