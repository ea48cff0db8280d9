"""What could be tried: named changes to QuantizeOptions, from whatever `choices` offers.

A candidate is written TECHNIQUE[+per-tensor][+CALIBRATION][+REPAIR…], for instance `int8+per-tensor` or
`int8+percentile`. A new technique, calibration or repair in choices.py is a candidate without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mcu_quant import choices
from mcu_quant.errors import InvalidInputError
from mcu_quant.quantize_options import USUAL, QuantizeOptions

#: Techniques that quantize activations and therefore need samples.
CALIBRATED = ("int8", "int16x8")
#: What a list of techniques shows, in the order of size and exactness.
_ORDER = ("float32", "float16", "dynamic", "int8", "int16x8")
_PER_TENSOR = "per-tensor"
#: Only shown: what is in it has no name.
_RECIPE = "recipe"


@dataclass(frozen=True)
class Axis:
    """One way to change options. field: of QuantizeOptions. several: the field is a tuple of words.

    prefix: what a word has in front in a candidate's name, where words of two axes are alike.
    techniques: those that it applies to.
    """

    field: str
    words: tuple[str, ...]
    several: bool = False
    prefix: str = ""
    techniques: tuple[str, ...] = CALIBRATED

    def value_of(self, word: str) -> str | None:
        """The field's word, from a name's (percentile=99.9 is a percentile); None if it is another's."""
        bare = word.removeprefix(self.prefix)
        known = word.startswith(self.prefix) and bare.partition("=")[0] in self.words
        return bare if known else None

    def listed(self, value: Any) -> tuple[str, ...]:
        """The words of a field's value."""
        if self.several:
            return tuple(value)
        return () if value is None else (str(value),)

    def joined(self, value: Any, word: str) -> Any:
        """A field's value with another word: beside those that are there, or in the place of the one."""
        return tuple(dict.fromkeys((*value, word))) if self.several else word


@dataclass(frozen=True)
class Candidate:
    """name: in the language above. changes: fields of QuantizeOptions and their values."""

    name: str
    changes: Mapping[str, Any] = field(hash=False)

    @property
    def technique(self) -> str:
        return str(self.changes.get("technique", "int8"))

    @property
    def needs_data(self) -> bool:
        return self.technique in CALIBRATED

    @property
    def changes_technique(self) -> bool:
        return "technique" in self.changes

    def options(self, base: QuantizeOptions) -> QuantizeOptions:
        """base, changed; another technique is that of all layers, without what has no meaning for it."""
        left_out = {"recipe": None, **_meaningless(self.technique)} if self.changes_technique else {}
        return replace(base, **{**left_out, **self.changes})


def _meaningless(technique: str) -> dict[str, Any]:
    """The options that say nothing of that technique, as they usually are."""
    usual = QuantizeOptions()
    fields = [axis.field for axis in axes() if technique not in axis.techniques]
    if technique in choices.FLOAT_TECHNIQUES:
        fields += ["input_type", "output_type", "allow_float"]
        fields += [] if technique == "dynamic" else ["per_tensor"]
    return {name: getattr(usual, name) for name in fields}


def axes() -> list[Axis]:
    """The axes that choices.py offers, in the order in which they are named."""
    return [
        Axis("calibration", tuple(choices.CALIBRATIONS)),
        Axis("weights_calibration", tuple(choices.WEIGHTS_CALIBRATIONS), prefix="weights-"),
        Axis("repairs", tuple(choices.REPAIRS), several=True),
        Axis("dynamic_range", tuple(choices.DYNAMIC_RANGES), techniques=("dynamic",)),
    ]


def techniques() -> list[str]:
    """What the tool can run, in the order of a list."""
    known = [name for name in _ORDER if name in choices.TECHNIQUES]
    return known + [name for name in choices.TECHNIQUES if name not in known]


def parse(text: str) -> Candidate:
    """The candidate of that name.

    Raises InvalidInputError for a word that this version does not know, for a value that a word cannot have,
    and for what has no meaning together.
    """
    technique, *words = [word.strip() for word in text.split("+")]
    if technique not in choices.TECHNIQUES:
        raise InvalidInputError(
            "the technique must be one that exists", value=text, hint=", ".join(choices.TECHNIQUES)
        )
    changes: dict[str, Any] = {"technique": technique}
    for word in words:
        _apply(changes, word, text)
    candidate = Candidate(text, changes)
    candidate.options(QuantizeOptions())
    return candidate


def _apply(changes: dict[str, Any], word: str, text: str) -> None:
    if word == _PER_TENSOR:
        changes["per_tensor"] = True
        return
    for axis in axes():
        value = axis.value_of(word)
        if value is not None:
            changes[axis.field] = axis.joined(changes.get(axis.field, ()), value)
            return
    known = [_PER_TENSOR, *(axis.prefix + word for axis in axes() for word in axis.words)]
    raise InvalidInputError(
        "what is behind the technique must be a known way to quantize",
        value=f"{word} in {text}",
        hint=", ".join(known),
    )


def side_by_side() -> list[Candidate]:
    """What `compare` shows unasked: every technique, int8 per tensor, int8 with each repair and with all."""
    names = []
    for technique in techniques():
        names.append(technique)
        if technique == "int8":
            names.append(f"int8+{_PER_TENSOR}")
            names += [f"int8+{word}" for word in choices.REPAIRS]
            names.append("+".join(("int8", *choices.REPAIRS)))
    return [parse(name) for name in names]


def remedies(base: QuantizeOptions) -> list[Candidate]:
    """Single changes to base, every word of every axis, then the other techniques as they usually are."""
    found = [_changed(base, {"per_tensor": False})] if base.per_tensor else []
    for axis in axes():
        if base.technique not in axis.techniques:
            continue
        now = getattr(base, axis.field)
        added = [word for word in axis.words if word not in axis.listed(now)]
        found += [_changed(base, {axis.field: axis.joined(now, word)}) for word in added]
    plain = {"per_tensor": False} | {axis.field: getattr(USUAL, axis.field) for axis in axes()}
    found += [Candidate(t, {**plain, "technique": t}) for t in techniques() if t != base.technique]
    return found


def combined(base: QuantizeOptions, parts: Sequence[Candidate]) -> Candidate:
    """All changes at once; where they are of one field with several words, these together."""
    several = {axis.field for axis in axes() if axis.several}
    changes: dict[str, Any] = {}
    for part in parts:
        for name, value in part.changes.items():
            changes[name] = (*changes.get(name, ()), *value) if name in several else value
    unique = {name: tuple(dict.fromkeys(value)) for name, value in changes.items() if name in several}
    return _changed(base, changes | unique)


def _changed(base: QuantizeOptions, changes: Mapping[str, Any]) -> Candidate:
    return Candidate(name_of(replace(base, **changes)), dict(changes))


def name_of(options: QuantizeOptions) -> str:
    """In the language above; what is as usual is left out."""
    return "+".join(_words(options))


def _words(options: QuantizeOptions) -> Iterator[str]:
    yield options.technique
    if options.recipe is not None:
        yield _RECIPE
    if options.per_tensor:
        yield _PER_TENSOR
    for axis in axes():
        value = getattr(options, axis.field)
        if value != getattr(USUAL, axis.field):
            yield from (axis.prefix + word for word in axis.listed(value))
