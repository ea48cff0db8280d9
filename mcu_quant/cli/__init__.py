"""The command line: `mcu-quant VERB`. One verb a module; a module is imported when its verb is used."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from importlib import import_module

import click

from mcu_quant import __version__
from mcu_quant.errors import McuQuantError

#: In the order of a user's day.
VERBS = (
    "quantize",
    "compare",
    "diagnose",
    "inspect",
    "generate",
    "run",
    "verify",
    "profile",
    "build",
    "flash",
    "boards",
    "doctor",
    "demo",
)


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"mcu_quant.cli.{name}").command
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mcu-quant")
def cli() -> None:
    """Trained Keras models to exact, small, fast C for Arm Cortex-M.

    Exit codes: 0 done, 1 a bug of ours, 2 bad input or unsupported model, 3 does not fit, 4 bits differ,
    5 a tool is missing.
    """


def main() -> None:
    """The entry point. Never returns."""
    arguments = sys.argv[1:]
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        _exit_by_interrupt()
    except KeyboardInterrupt:
        _exit_by_interrupt()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
        if "--json" in arguments:
            from mcu_quant.cli._output import print_error
            from mcu_quant.errors import Problem

            message = error.format_message()
            print_error(type(error).__name__, code, message, [Problem(message)])
    except McuQuantError as error:
        from mcu_quant.cli._output import report_error

        report_error(error, as_json="--json" in arguments)
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _exit_by_interrupt() -> None:
    """End as a program ends that does not handle Ctrl-C, so that shells and makefiles stop too."""
    print("interrupted; nothing was written", file=sys.stderr)
    if os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(130)
