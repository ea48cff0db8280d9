"""Which programs there are, which are missing, what each is for, and how to get it on this system."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """A program. commands: any one of them will do. install: system to command line.

    check: whether a program that was found is complete. optional: nothing of the README needs it.
    lacks: what a program that was found cannot do though it is complete ("" if there is nothing).
    version: the arguments by which it prints its version; none if it has no such.
    """

    name: str
    purpose: str
    commands: tuple[str, ...]
    install: Mapping[str, str]
    optional: bool = False
    check: Callable[[str], bool] = lambda path: True
    lacks: Callable[[str], str] = lambda path: ""
    version: tuple[str, ...] = ("--version",)


@dataclass(frozen=True)
class Finding:
    """What is known of one tool here. version: the first line it prints of itself."""

    tool: Tool
    path: str | None
    version: str
    complete: bool

    @property
    def lacks(self) -> str:
        return self.tool.lacks(self.path) if self.path is not None and self.complete else ""

    @property
    def how(self) -> str:
        return "" if self.complete else self.tool.install.get(system(), self.tool.install["other"])


def _has_c_library(compiler: str) -> bool:
    found = subprocess.run([compiler, "-print-file-name=libc.a"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()).is_file()


def _has_no_plugins(emulator: str) -> str:
    shown = subprocess.run(
        [emulator, "-help"], capture_output=True, text=True, timeout=20, check=False
    ).stdout
    if "-plugin" in shown:
        return ""
    return "this build takes no plugins, so `profile` leaves modelled cycles out"


TOOLS = (
    Tool(
        "qemu-system-arm",
        "runs firmware images of the QEMU boards",
        ("qemu-system-arm",),
        {
            "debian": "sudo apt-get install qemu-system-arm",
            "fedora": "sudo dnf install qemu-system-arm-core",
            "macos": "brew install qemu",
            "windows": "winget install SoftwareFreedomConservancy.QEMU, and its directory on PATH",
            "other": "install QEMU with the arm system emulator, 7.0 or later",
        },
        lacks=_has_no_plugins,
    ),
    Tool(
        "arm-none-eabi-gcc",
        "compiles firmware",
        ("arm-none-eabi-gcc",),
        {
            "debian": "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
            "fedora": "sudo dnf install arm-none-eabi-gcc-cs arm-none-eabi-newlib",
            "macos": "brew install --cask gcc-arm-embedded",
            "windows": "winget install Arm.GnuArmEmbeddedToolchain, and its bin directory on PATH",
            "other": "install the GNU Arm embedded toolchain with newlib, 10 or later",
        },
        check=_has_c_library,
    ),
    Tool(
        "make",
        "builds firmware projects",
        ("make", "gmake", "mingw32-make"),
        {
            "debian": "sudo apt-get install make",
            "fedora": "sudo dnf install make",
            "macos": "xcode-select --install",
            "windows": "winget install ezwinports.make",
            "other": "install GNU make",
        },
    ),
    Tool(
        "cmake",
        "builds projects of `generate --format cmake`",
        ("cmake",),
        {
            "debian": "sudo apt-get install cmake",
            "fedora": "sudo dnf install cmake",
            "macos": "brew install cmake",
            "windows": "winget install Kitware.CMake",
            "other": "install CMake, 3.16 or later",
        },
        optional=True,
    ),
    Tool(
        "C compiler",
        "compiles generated code for this computer (the host engine), and what counts cycles in `profile`",
        ("gcc", "clang", "cc"),
        {
            "debian": "sudo apt-get install gcc libc6-dev",
            "fedora": "sudo dnf install gcc",
            "macos": "xcode-select --install",
            "windows": "winget install LLVM.LLVM, and its bin directory on PATH",
            "other": "install gcc or clang",
        },
    ),
)

#: What writes images to boards. Any one that the board names will do.
FLASH_TOOLS = (
    Tool(
        "pyocd",
        "flashes most boards by their debug probe",
        ("pyocd",),
        {"other": "pip install pyocd"},
        optional=True,
    ),
    Tool(
        "openocd",
        "flashes most boards by their debug probe",
        ("openocd",),
        {
            "debian": "sudo apt-get install openocd",
            "fedora": "sudo dnf install openocd",
            "macos": "brew install open-ocd",
            "other": "install OpenOCD 0.12 or later, and its directory on PATH",
        },
        optional=True,
    ),
    Tool(
        "st-flash",
        "flashes boards of ST",
        ("st-flash",),
        {
            "debian": "sudo apt-get install stlink-tools",
            "fedora": "sudo dnf install stlink",
            "macos": "brew install stlink",
            "other": "install stlink 1.7 or later, and its directory on PATH",
        },
        optional=True,
    ),
    Tool(
        "picotool",
        "flashes boards of Raspberry Pi in their boot loader",
        ("picotool",),
        {
            "macos": "brew install picotool",
            "other": "build picotool as its README says, or copy the UF2 file",
        },
        optional=True,
        version=("version",),
    ),
    Tool(
        "jlink",
        "flashes boards by a J-Link probe",
        ("JLink",) if sys.platform == "win32" else ("JLinkExe",),
        {"other": "install SEGGER's J-Link software, and its directory on PATH"},
        optional=True,
        version=(),
    ),
    Tool(
        "bossac",
        "flashes Arduino boards by their boot loader",
        ("bossac",),
        {
            "debian": "sudo apt-get install bossa-cli",
            "macos": "brew install bossa",
            "other": "install BOSSA 1.9 or later, and its directory on PATH",
        },
        optional=True,
        version=(),
    ),
    Tool(
        "gdb",
        "flashes through a GDB server",
        ("arm-none-eabi-gdb", "gdb-multiarch"),
        {
            "debian": "sudo apt-get install gdb-multiarch",
            "fedora": "sudo dnf install gdb",
            "other": "install GDB for Arm: arm-none-eabi-gdb, of the GNU Arm embedded toolchain",
        },
        optional=True,
    ),
)


def tool_named(name: str) -> Tool:
    """One of TOOLS and FLASH_TOOLS."""
    return next(tool for tool in (*TOOLS, *FLASH_TOOLS) if tool.name == name)


def system() -> str:
    """ "debian" (and its kin), "fedora", "macos", "windows" or "other"."""
    if sys.platform == "darwin":
        return "macos"
    if sys.platform == "win32":
        return "windows"
    if shutil.which("apt-get"):
        return "debian"
    return "fedora" if shutil.which("dnf") else "other"


def examine(tool: Tool) -> Finding:
    path = next((found for command in tool.commands if (found := _which(command))), None)
    if path is None:
        return Finding(tool, None, "", False)
    try:
        shown = _version(path, tool.version)
        complete = tool.check(path)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(tool, path, "does not run", False)
    return Finding(tool, path, shown, complete)


def _which(command: str) -> str | None:
    """On the PATH, or beside this Python, where pip puts programs."""
    return shutil.which(command) or shutil.which(command, path=str(Path(sys.executable).parent))


def _version(path: str, arguments: tuple[str, ...]) -> str:
    """The first line, of whichever stream; "" without arguments that ask for it."""
    if not arguments:
        return ""
    done = subprocess.run(
        [path, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=20,
        check=False,
    )
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")


def examine_all() -> list[Finding]:
    return [examine(tool) for tool in (*TOOLS, *FLASH_TOOLS)]


#: Python packages beyond the runtime's own: module, what for, the extra that brings it.
_PACKAGES = (
    ("tensorflow", "reads SavedModels; trains the demo's model", "tensorflow"),
    ("sklearn", "the demo's digits", "demo"),
    ("serial", "talks to boards at serial ports (verify, run and profile with --port)", "serial"),
)


def python_facts() -> list[dict[str, object]]:
    """The optional Python packages, without importing them."""
    return [
        {
            "name": module,
            "purpose": purpose,
            "found": importlib.util.find_spec(module) is not None,
            "how": f"pip install 'mcu-quant[{extra}]'",
        }
        for module, purpose, extra in _PACKAGES
    ]


def platform_text() -> str:
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
