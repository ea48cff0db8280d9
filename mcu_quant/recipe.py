"""Which technique each layer is quantized by: the file of `quantize --recipe`.

    [layers]
    "conv_1" = "int16x8"
    "dense*" = "float32"

Left of the = are names of layers, or patterns of them (layer_patterns.py); right the technique. Of several
lines that match a layer, the first holds; layers that no line matches have the technique of --technique. A
name also stands for what the layer is made of, NAME/part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcu_quant.choices import TECHNIQUES, require_choice
from mcu_quant.errors import InvalidInputError
from mcu_quant.layer_patterns import Rules, matches, read_toml, require_matches

#: Matches every layer: lines behind it say nothing.
_EVERY = "*"


@dataclass(frozen=True)
class Recipe:
    """rules: (pattern of layer names, technique), the first that matches holds."""

    rules: Rules

    def technique_of(self, layer: str, default: str) -> str:
        """default: of layers that no line matches."""
        for pattern, technique in self.rules:
            if any(matches(pattern, name) for name in _names(layer)):
                return technique
        return default

    def rest(self, default: str) -> str:
        """The technique of layers that nothing but "*" matches."""
        return next((technique for pattern, technique in self.rules if pattern == _EVERY), default)

    def techniques(self, default: str) -> tuple[str, ...]:
        """All that layers can have, each once."""
        patterns = [pattern for pattern, _ in self.rules]
        before = self.rules[: patterns.index(_EVERY)] if _EVERY in patterns else self.rules
        return tuple(dict.fromkeys([*(technique for _, technique in before), self.rest(default)]))


#: The technique is the same for all layers.
NO_RECIPE = Recipe(())


def _names(layer: str) -> Iterator[str]:
    """a/b/c is also b's and a's."""
    while True:
        yield layer
        layer, slash, _ = layer.rpartition("/")
        if not slash:
            return


def read_recipe(path: Path) -> Recipe:
    """Raises InvalidInputError."""
    table = read_toml(path, "recipe")
    layers = table.get("layers")
    if not isinstance(layers, dict) or list(table) != ["layers"]:
        raise InvalidInputError(
            "a recipe has one table, [layers]",
            layer=str(path),
            value=", ".join(table) or "none",
            hint='[layers] and lines such as "conv*" = "int16x8"',
        )
    return recipe_of(layers, str(path))


def recipe_of(layers: Mapping[str, object], where: str = "recipe") -> Recipe:
    """From the table: a pattern → technique. Raises InvalidInputError."""
    for pattern, technique in layers.items():
        if not isinstance(pattern, str) or not pattern:
            raise InvalidInputError(
                "a line of the recipe begins with a layer's name", layer=where, value=repr(pattern)
            )
        try:
            require_choice("technique of a layer", technique, TECHNIQUES)
        except InvalidInputError as error:
            (problem,) = error.problems
            raise InvalidInputError(
                problem.rule, layer=f"{where}: {pattern}", value=problem.value, hint=problem.hint
            ) from None
    if not layers:
        raise InvalidInputError(
            "a recipe must say something", layer=where, hint='lines such as "conv*" = "int16x8"'
        )
    return Recipe(tuple((pattern, str(technique)) for pattern, technique in layers.items()))


def check_recipe(recipe: Recipe, layers: Sequence[str]) -> None:
    """Refuse patterns that match no layer. Raises InvalidInputError."""
    names = dict.fromkeys(name for layer in layers for name in (layer, *_parents(layer)))
    require_matches("recipe", [pattern for pattern, _ in recipe.rules], list(names))


def _parents(layer: str) -> list[str]:
    return list(_names(layer))[1:]
