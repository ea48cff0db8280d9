"""Hypothesis as a source of cases, by the seed alone."""

from __future__ import annotations

from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider


class SeedAlone(HypothesisProvider):
    """Hypothesis' own draws, without those it makes of constants in whatever modules happen to be imported.

    With them, the same seed gives other cases in another process of the tests, or after any change of code.
    """

    def _maybe_draw_constant(self, *arguments: object, **options: object) -> None:
        return None


_BACKEND = "seed alone"
AVAILABLE_PROVIDERS[_BACKEND] = SeedAlone


def drawn(strategy: st.SearchStrategy[Any], count: int, seed: int) -> list[Any]:
    """That many draws, the same for the same seed in every process."""
    found: list[Any] = []
    if count == 0:
        return found

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        backend=_BACKEND,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found
