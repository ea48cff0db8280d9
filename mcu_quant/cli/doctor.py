"""mcu-quant doctor: which tools are missing, and how to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json, print_table

if TYPE_CHECKING:
    from mcu_quant.doctor import Finding


def _state(finding: Finding) -> str:
    if finding.complete:
        return finding.version or "found"
    if finding.path is not None:
        return "incomplete"
    return "not installed (optional)" if finding.tool.optional else "MISSING"


@click.command("doctor")
@options.JSON
def command(as_json: bool) -> None:
    """Say which tools are missing and how to get them (exit 5 if one is)."""
    from mcu_quant import doctor
    from mcu_quant.errors import ToolMissingError

    findings = doctor.examine_all()
    packages = doctor.python_facts()
    missing = [finding for finding in findings if not finding.complete and not finding.tool.optional]
    if as_json:
        tools = [
            {
                "name": f.tool.name,
                "purpose": f.tool.purpose,
                "found": f.complete,
                "path": f.path,
                "version": f.version,
                "how": f.how or None,
                "lacks": f.lacks or None,
            }
            for f in findings
        ]
        print_json(
            {"ok": not missing, "platform": doctor.platform_text(), "tools": tools, "packages": packages}
        )
    else:
        rows: list[tuple[object, ...]] = [
            (
                f.tool.name,
                _state(f),
                f.tool.purpose,
            )
            for f in findings
        ]
        rows += [
            (p["name"], "installed" if p["found"] else "not installed (optional)", p["purpose"])
            for p in packages
        ]
        print_table(doctor.platform_text(), ("tool", "found", "for"), rows)
        for finding in missing:
            note(f"{finding.tool.name}: {finding.how}")
        for finding in findings:
            if finding.lacks:
                note(f"{finding.tool.name}: {finding.lacks}")
        for package in packages:
            if not package["found"]:
                note(f"{package['name']} (optional): {package['how']}")
    if missing:
        raise click.exceptions.Exit(ToolMissingError.exit_code)
