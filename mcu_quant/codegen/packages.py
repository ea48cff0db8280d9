"""The C of one model or several as a library in the form that a build system or an IDE takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mcu_quant
from mcu_quant.codegen.library import render_library
from mcu_quant.codegen.project import C_FLAGS, OPTIMIZE_FLAGS, model_facts
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import Deployment
from mcu_quant.formats import PACKAGE, Format, library_name

#: Flags that are not said by a build system's own words.
_STANDARD = "-std="


def render_package(form: Format, deployments: Sequence[Deployment], package: str | None) -> dict[str, str]:
    """Relative path → text. The deployments are for one core. package: the library's name.

    By default the library has the model's name, or those of all models.
    """
    folder = f"{form.models}/" if form.models else ""
    files: dict[str, str] = {}
    for deployment in deployments:
        for name, text in render_library(deployment).items():
            assert files.setdefault(folder + name, text) == text, f"two models render {name} differently"
    templates = form.templates("library")
    if not templates:
        return files
    package = package or library_name([deployment.name for deployment in deployments])
    context = _context(form, deployments, package, sorted(files))
    rendered = environment("formats")
    for template in templates:
        path = template.removesuffix(".j2").replace(PACKAGE, package)
        files[path] = rendered.get_template(f"{form.name}/library/{template}").render(context)
    return files


def _context(
    form: Format, deployments: Sequence[Deployment], package: str, files: Sequence[str]
) -> dict[str, Any]:
    models = [model_facts(deployment) for deployment in deployments]
    sources = [name for name in files if name.endswith((".c", ".S"))]
    return {
        "package": package,
        "target": f"mcu_quant_{package}",
        "symbol": f"MCU_QUANT_{package}".upper(),
        "version": mcu_quant.__version__,
        "core": deployments[0].core.name,
        "cpu_flags": deployments[0].core.gcc_flags,
        "flags": [flag for flag in C_FLAGS if not flag.startswith(_STANDARD)],
        "optimize": OPTIMIZE_FLAGS[deployments[0].options.optimize],
        "folder": form.models,
        "sources": sources,
        "assembly": [name for name in sources if name.endswith(".S")],
        "headers": [name for name in files if name.endswith(".h")],
        "models": models,
        "has_floats": any(tensor["is_float"] for model in models for tensor in model["outputs"]),
    }
