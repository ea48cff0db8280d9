"""The files of a certificate: for a program (JSON), for a compiler (a C header), for the eye (SVG)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mcu_quant
from mcu_quant.codegen.arena_map import render_arena_map
from mcu_quant.codegen.library import build_number
from mcu_quant.codegen.names import comment
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import Deployment


def render_certificate(deployment: Deployment, facts: Mapping[str, Any]) -> dict[str, str]:
    """File name → text. facts: the object of `profile --json` for that deployment."""
    name = deployment.name
    header = (
        environment("certificate")
        .get_template("certificate.h.j2")
        .render(
            name=name,
            macro=name.upper(),
            tool_version=mcu_quant.__version__,
            fingerprint=deployment.fingerprint,
            options=comment(deployment.options.canonical(), longest=1000),
            build=build_number(deployment),
            facts=facts,
            certificate=facts["certificate"],
            version=facts["certificate"]["compiler"].split("."),
            titles=[comment(node.name, longest=90) for node in deployment.graph.nodes],
        )
    )
    return {
        "certificate.json": json.dumps(facts, indent=2) + "\n",
        "arena.svg": render_arena_map(deployment),
        f"{name}_certificate.h": header,
    }
