"""What each stage is made from: every artefact of a job has a key before anything is computed or loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from scar.completion.consensus import voters
from scar.config import Config
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.encoders.base import Encoder
from scar.labels import CrossModalLabels
from scar.store import Key, Store, make_key

SUBJECTS = ("primary", "total")
# The training sets that are characterized: what there is now, and everything.

SUPERVISION = tuple(f"scar.pairs.{module}" for module in ("captions", "supervision", "words"))
# Modules that decide the clusters of pairs.

PLANNING = ("allocation", "budgets", "calibration", "curves", "plan", "pool", "problem", "sharing", "state")
# Modules of the completion that every plan depends on, whoever the planner is.


@dataclass(frozen=True)
class Arm:
    """One training set to be evaluated: primary, total, or primary plus a plan."""

    subject: str
    fraction: float | None
    key: Key


class Keys:
    """The keys of the artefacts of one configuration.

    Keys follow from the configuration and from the fingerprint of the files, so that the artefacts of a finished job are
    known without computing or loading anything.

    Args:
        config: validated configuration.
        store: where artefacts are looked up and published.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config
        self.store = store
        self.data_dir = data_folder(config.paths.data_dir)

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
    def twin(self) -> Self:
        """The job of the other direction."""
        (other,) = (each for each in self.config.modalities if each != self.config.probed)
        return type(self)(replace(self.config, modality=other), self.store)

    @cached_property
    def siblings(self) -> tuple[Self, ...]:
        """The jobs of the other encoders whose needs the planner asks for; none for most planners."""
        others = voters(self.config.completion, self.config.encoder, self.config.probed)
        return tuple(type(self)(replace(self.config, encoder=each), self.store) for each in others)

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
