"""Captions that are written for the training images, and which of them are taken."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32
from scar.config.nodes import ConfigError
from scar.data.sources.scene_facts import describe_with_errors
from scar.reduction.pair_score import pair_score
from scar.reduction.refine import refine
from scar.reduction.settings import COLLAPSED
from scar.store.keys import Key, make_key
from scar.studies.reduction.pair_scorers import ScorerStages


class RefiningStages(ScorerStages):
    """Refined captions: by the settings of the study, by the decoding that collapses, and by an oracle."""

    def candidates_key(self, *, collapsed: bool = False) -> Key:
        """All captions that the captioner writes of the training images."""
        settings = self._decoding(collapsed=collapsed) | {"seed": self.config.seed}
        upstream = [self.captioner_key(self.reduction)]
        return make_key("captions", config=settings, upstream=upstream, code=[RefiningStages.candidates])

    def _decoding(self, *, collapsed: bool) -> dict[str, object]:
        own = self.reduction
        if collapsed:
            return dict(COLLAPSED)
        return {"method": own.decoding, "beams": own.beams, "top_p": own.top_p, "candidates": own.candidates}

    def candidates(self, *, collapsed: bool = False) -> list[list[str]]:
        """Return the captions [candidates][n] that the captioner writes of every training image."""

        def make(folder: Path) -> None:
            from scar.reduction.caption_writing import generate

            given = self._decoding(collapsed=collapsed)
            captioner, images = self._open_captioner(self.reduction), self._images()
            texts = [
                generate(
                    captioner, images, method=str(given["method"]), beams=self.reduction.beams,
                    top_p=self.reduction.top_p, seed=derive_seed(self.config.seed, "candidates", turn),
                    batch_size=self.reduction.generation_batch,
                )
                for turn in range(int(str(given["candidates"])))
            ]  # fmt: skip
            write_json(folder / "captions.json", texts)

        def read(folder: Path) -> list[list[str]]:
            return [[str(text) for text in texts] for texts in read_json(folder / "captions.json")]

        return self.store.load(self.candidates_key(collapsed=collapsed), make, read)

    @property
    def generated_key(self) -> Key:
        """The best caption of every training image, and whether it is accepted."""
        settings = {"match": self.reduction.match}
        upstream = [self.candidates_key(), *self._scorer_keys()]
        return make_key("captions_matched", config=settings, upstream=upstream, code=[RefiningStages._match])

    @cached_property
    def _matched(self) -> tuple[list[str], NDArray[np.bool_]]:
        def make(folder: Path) -> None:
            texts, accepted = self._match()
            write_json(folder / "captions.json", {"texts": texts, "accepted": accepted.tolist()})

        def read(folder: Path) -> tuple[list[str], NDArray[np.bool_]]:
            found = read_json(folder / "captions.json")
            return [str(text) for text in found["texts"]], np.array(found["accepted"], bool)

        return self.store.load(self.generated_key, make, read)

    def _match(self) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the candidate of every image that fits it best, and whether it fits as well as captions do that are right.

        A caption is accepted if its score reaches the `match` quantile of the scores of the original captions.
        """
        listed = self.candidates()
        if not self.reduction.match:
            return listed[0], np.ones(len(listed[0]), bool)
        scores = np.stack([self.score(texts) for texts in listed])
        best = scores.argmax(axis=0)
        texts = [listed[place][row] for row, place in enumerate(best.tolist())]
        limit = np.quantile(self.score(), self.reduction.match)
        return texts, np.asarray(scores.max(axis=0) >= limit)

    @property
    def generated(self) -> list[str]:
        """T_g of every training image."""
        return self._matched[0]

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """[n] whether the caption that was written is taken."""
        return self._matched[1]

    @cached_property
    def refined(self) -> list[str]:
        """T of every training image: its caption, refined where what was written is accepted."""
        both = refine(self.original, self.generated, mode=self.reduction.refine)
        return [new if taken else old for new, old, taken in zip(both, self.original, self.accepted, strict=True)]

    def pair_scores(self, *, refined: bool) -> Floats32:
        """Return [n] the pair score of every training pair: the cosine by a model that was not trained on it."""
        if not refined:
            return pair_score(*self.embedded).astype(np.float32)
        settings = {"refine": self.reduction.refine}
        upstream = [self.generated_key, *self._scorer_keys()]
        key = make_key("pair_scores", config=settings, upstream=upstream, code=[ScorerStages.score])
        return self.store.load_array(key, "scores.npy", lambda: self.score(self.refined))

    @cached_property
    def collapsed(self) -> list[str]:
        """T of every training image by beam search, unmatched: what the paper warns of."""
        return refine(self.original, self.candidates(collapsed=True)[0], mode=self.reduction.refine)

    def oracle(self, wrong: float) -> list[str]:
        """Return T of every training image by a captioner that states every fact, each wrongly with a known probability.

        Raises:
            ConfigError: what the images show is not known.
        """
        own = self.pairs
        if own.scene is None:
            raise ConfigError("an oracle captioner needs dataset=captioned_scenes, where it is known what images show")
        told = [
            describe_with_errors(str(own.scene[row]), generator(self.config.seed, "oracle", int(row)), wrong=wrong)
            for row in own.train
        ]
        return refine(self.original, told, mode=self.reduction.refine)
