"""What Algorithm 1 hands out for a configuration: the handles of its stages, by the question that they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scar.common.types import Floats, Ints
from scar.completion.co_label_table import stand_under
from scar.completion.forecast import Forecaster, NoForecaster
from scar.completion.outlook import Outlook
from scar.completion.plan import CompletionPlan
from scar.completion.pools import UnlabelledView
from scar.completion.problem import CompletionProblem
from scar.completion.rounds import NextRound
from scar.config.schema import Config
from scar.data.catalogue import Catalogue
from scar.data.paths import data_folder
from scar.data.stratify import count_labels
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples
from scar.encoders.text_lengths import Truncation
from scar.evaluation.label_scores import LabelPredictions, LabelScores
from scar.evaluation.scores import Predictions, Scores
from scar.foundation.estimates import Estimate
from scar.job.flow import Handle
from scar.job.map_points import Previews
from scar.measures.observations import Observations
from scar.pairs.alignment import Alignment
from scar.pairs.supervision import Supervision
from scar.probes.probe_set import ProbeSet
from scar.sampling.layout import MapLayout
from scar.sampling.splits import Split
from scar.sampling.step_functions import Steps
from scar.store.store import Store

Data = tuple[Handle[EmbeddingSet], Handle[Steps], Handle[Split]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """Labelled, divided samples.

    Attributes:
        dataset: ids, labels, class names, splits and groups; no payloads.
        towers: [N, D] embeddings by modality, aligned with the dataset.
        embeddings: those of the modality that is probed.
        supervision: clusters of both modalities of pairs; None where labels are given.
        steps: the step functions.
        split: the parts that each later stage may see.
        without_pool: the same parts but for the reserve, so that what is trained and tested does not depend on the pool.
        deployment: [K] class frequencies where a classifier will be used.
        truncation: of the texts by their encoder; None where none are read.
        pools: [M, K] class sizes of the pools that ``budgets.of`` compares; None where it names none.
    """

    dataset: Handle[Catalogue]
    towers: Mapping[str, Handle[EmbeddingSet]]
    embeddings: Handle[EmbeddingSet]
    supervision: Handle[Supervision] | None
    steps: Handle[Steps]
    split: Handle[Split]
    without_pool: Handle[Split]
    deployment: Handle[Floats]
    truncation: Handle[Truncation] | None = None
    pools: Handle[Ints] | None = None

    @property
    def data(self) -> Data:
        """What probes are trained on."""
        return self.embeddings, self.steps, self.without_pool


@dataclass(frozen=True, eq=False, kw_only=True)
class Characterized:
    """What is known of one training set: its probes, their measures, and how much data would be enough.

    `penalty` is the λ of all of its probes; None where every probe has its own, or none.
    """

    penalty: Handle[float] | None
    probes: Handle[ProbeSet]
    measures: Handle[Observations]
    foundation: Handle[dict[str, Estimate]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Completion:
    """What to add.

    Attributes:
        view: the reserve as the probe of the primary set sees it; None where its labels are known.
        planned: [N] the classes that planning may see; of several labels the one that a sample stands under.
        problem: what the planner is given.
        plans: one per budget.
        forecaster: of what any class sizes would reach.
        outlook: forecast and shopping list; None for a plan for two modalities at once.
    """

    view: Handle[UnlabelledView] | None
    planned: Handle[Ints]
    problem: Handle[CompletionProblem]
    plans: Handle[list[CompletionPlan]]
    forecaster: Handle[Forecaster | NoForecaster]
    outlook: Handle[Outlook] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Labelling:
    """Which samples of a pool without labels to label next, as everything that has labels sees them.

    Attributes:
        split: whose primary part is everything that can be trained on, and whose reserve is the pool.
        view: the pool as the probe of that part sees it.
        planned: [N] classes; those of the pool are predicted.
        plans: one per budget, a share of the pool.
    """

    split: Handle[Split]
    view: Handle[UnlabelledView]
    planned: Handle[Ints]
    plans: Handle[list[CompletionPlan]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapped:
    """The map: where samples are drawn, and what they look like."""

    layout: Handle[MapLayout]
    previews: Handle[Previews]


@dataclass(frozen=True, eq=False, kw_only=True)
class Arm:
    """One training set that is retrained and tested: primary, total, or primary plus a plan.

    Attributes:
        subject: ``"primary"``, ``"total"``, or the name of the strategy.
        fraction: the budget of the plan as a share of the reserve; None without a plan.
        rows: that it trains on.
        penalty: λ of its probe; None where the probe has its own, or none.
        probes: those of all budgets of its plan, or of a training set, one artefact.
        index: its place among them.
        probe: the one trained on its rows.
        predictions: of the test part, raw and matched.
        scores: of the predictions.
    """

    subject: str
    fraction: float | None
    rows: Handle[Ints]
    penalty: Handle[float] | None
    probes: Handle[ProbeSet]
    index: int
    probe: Handle[ProbeSet]
    predictions: Handle[Predictions | LabelPredictions]
    scores: Handle[Scores | LabelScores]


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """The stages of one configuration over one store."""

    config: Config
    store: Store
    inputs: Inputs
    characterized: Mapping[str, Characterized]
    completion: Completion
    arms: Sequence[Arm]
    next_round: Handle[NextRound] | None
    alignment: Handle[Alignment] | None
    labelling: Labelling | None = None
    map: Mapped | None = None

    @property
    def catalogue(self) -> Catalogue:
        """Ids, labels, class names, splits and groups of the source; no payloads."""
        return self.inputs.dataset.value

    @property
    def embeddings(self) -> EmbeddingSet:
        """[N, D] embeddings of the modality that is probed, memory-mapped."""
        return self.inputs.embeddings.value

    @property
    def steps(self) -> Steps:
        """The step functions: labels [N], or zeros and ones [N, K], and their K names."""
        return self.inputs.steps.value

    @property
    def num_classes(self) -> int:
        """Number of step functions K."""
        return len(self.steps.names)

    @property
    def split(self) -> Split:
        """The parts that each step may see."""
        return self.inputs.split.value

    @property
    def classes(self) -> Ints:
        """[N] the class of every sample; of several labels the rarest that it carries, negative for none."""
        labels = self.split.labels
        return (
            labels
            if labels.ndim == 1
            else stand_under(labels, count_labels(labels[self.split.primary], self.num_classes))
        )

    def observations(self, subject: str) -> Observations:
        """Return what the probes on the subsets of a training set showed."""
        return self.characterized[subject].measures.value

    def foundation(self, subject: str) -> dict[str, Estimate]:
        """Return how much data would be enough for a training set, by estimator."""
        return self.characterized[subject].foundation.value

    @property
    def plans(self) -> list[CompletionPlan]:
        """The plans of the strategy, one per budget."""
        return self.completion.plans.value

    @property
    def plans_to_label(self) -> list[CompletionPlan]:
        """Which samples to label next, one plan per budget; none where there is no pool without labels."""
        return [] if self.labelling is None else self.labelling.plans.value

    @property
    def samples(self) -> KeptSamples:
        """Reads the samples that the catalogue kept, payloads included."""
        return KeptSamples(self.config.dataset, data_folder(self.config.paths.data_dir), self.catalogue.ids)

    @property
    def final(self) -> list[Handle[Any]]:
        """The last handles of the column: the job is done while its record names exactly their keys."""
        ends: list[Handle[Any] | None] = [each.foundation for each in self.characterized.values()]
        ends += [self.completion.plans, self.completion.outlook, self.alignment]
        ends += [] if self.labelling is None else [self.labelling.plans]
        ends += [] if self.map is None else [self.map.layout, self.map.previews]
        return [each for each in (*ends, *(arm.predictions for arm in self.arms)) if each is not None]
