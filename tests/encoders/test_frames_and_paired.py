from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import Video, videos

from scar.encoders.encoder import Embed, Encoder
from scar.encoders.frames import Frames
from scar.encoders.paired import Paired
from scar.encoders.pixels import Pixels
from scar.encoders.transformers_pair import TransformersPair
from scar.encoders.wordllama import WordLlama
from scar.store.code import classes_of, sources
from scar.store.keys import make_key


@dataclass(frozen=True, kw_only=True)
class Colours(Encoder):
    """Mean colour of an image."""

    name: str = "colours"
    modality: str = "image"
    seen: Any = None

    def weights(self) -> list[Path]:
        return [Path("weights")]

    def open(self) -> Embed:
        def embed(images: Sequence[Any]) -> np.ndarray:
            if self.seen is not None:
                self.seen.append(len(images))
            return np.stack([np.asarray(image).mean(axis=(0, 1)) for image in images]).astype(np.float32)

        return embed


def test_a_video_is_the_mean_and_the_spread_of_its_frames_in_any_order() -> None:
    clips, seen = videos(3), []
    encoder = Frames(image=Colours(batch_size=5, seen=seen), frames=4)
    colours = np.stack([clip.pictures[[2, 7, 12, 17]].mean(axis=(1, 2)) for clip in clips])
    expected = np.concatenate([colours.mean(axis=1), colours.std(axis=1)], axis=1)
    rows = encoder.open()(clips)
    assert rows.dtype == np.float32
    assert seen == [5, 5, 2]
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([encoder.open()([clip]) for clip in clips[::-1]])[::-1], rows, rtol=1e-6)
    assert np.abs(Frames(image=Colours(), frames=5).open()(clips) - expected).max() > 0.1


def test_a_still_has_no_spread() -> None:
    still = Video(np.full((1, 4, 4, 3), 7, np.uint8))
    np.testing.assert_allclose(Frames(image=Colours()).open()([still]), [[7, 7, 7, 0, 0, 0]])


def test_frames_are_keyed_by_the_encoder_of_images_and_its_code() -> None:
    one, other = Frames(image=Pixels()), Frames(image=Pixels(batch_size=3))
    assert one.weights() == []
    assert Frames(image=Colours()).weights() == [Path("weights")]
    reached = sources().closure(classes_of(one))
    assert {"scar.encoders.pixels", "scar.encoders._images", "scar.encoders._payloads"} <= reached
    assert make_key("x", config=one) == make_key("x", config=other)
    assert make_key("x", config=one) != make_key("x", config=Frames(image=Pixels(), frames=9))
    assert make_key("x", config=one) != make_key("x", config=Frames(image=Colours()))


def test_frames_take_the_tower_for_images_of_a_joint_model() -> None:
    clip = TransformersPair(name="clip", model="x", modality="image+text")
    assert Frames(image=clip).image.modality == "image"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frames(image=WordLlama()), r"must be an encoder of images; choose one with encoder@encoder\.image="),
        (lambda: Frames(image=Pixels(), frames=1), r"encoder\.frames=1 must be at least 2"),
        (lambda: Frames().open(), r"encoder=frames has no encoder of images"),
        (lambda: Paired(name="x", text=Pixels()), r"encoder\.text=pixels does not read text"),
        (lambda: Paired(name="x", image=3), r"encoder\.image=3 does not read image"),
        (lambda: Paired(name="x").towers(), r"encoder=x has no encoder for"),
        (lambda: Paired(name="x", modality="image+audio", image=Pixels()), r"differs from the encoders given, image"),
        (lambda: Paired(name="x", image=Pixels()).open(), r"encoder=x holds several encoders"),
        (lambda: Paired(name="x", image=Pixels()).weights(), r"take one of encoder\.towers"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pair_has_the_encoder_of_each_modality() -> None:
    pair = Paired(name="pair", image=Pixels(), text=WordLlama())
    assert pair.modality == "image+text"
    assert pair.towers() == {"image": Pixels(), "text": WordLlama()}
    clip = TransformersPair(name="clip", model="x", modality="image+text")
    mixed = Paired(name="mixed", modality="text+video", text=clip, video=Frames(image=Pixels()))
    assert list(mixed.towers()) == ["text", "video"]
    assert mixed.towers()["text"] == clip.towers()["text"]


def test_a_pair_shares_the_artefacts_of_its_encoders() -> None:
    pair = Paired(name="pair", image=Pixels(), text=WordLlama())
    assert make_key("x", config=pair.towers()["image"]) == make_key("x", config=Pixels())
