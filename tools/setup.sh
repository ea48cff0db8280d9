#!/usr/bin/env bash
# Everything that `make demo` and `make test` need: system packages, .venv, Python packages.
#
#   tools/setup.sh demo|test
#
# Asks the system only for what is missing, and does nothing (in well under a second) once all is there.
# On Debian and Ubuntu it installs by apt-get, with sudo when not root; elsewhere it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:?demo or test}
venv=.venv
say() { printf 'setup: %s\n' "$*" >&2; }

# command : Debian package : what other systems call it
tools_demo=(
    "qemu-system-arm:qemu-system-arm:QEMU (qemu-system-arm, 7.0 or later)"
    "arm-none-eabi-gcc:gcc-arm-none-eabi libnewlib-arm-none-eabi:the GNU Arm embedded toolchain with newlib (arm-none-eabi-gcc, 10 or later)"
)
tools_test=(
    "gcc:gcc libc6-dev:gcc"
    "g++:g++:g++"
    "clang:clang:clang"
    "gdb-multiarch:gdb-multiarch:GDB for Arm (gdb-multiarch or arm-none-eabi-gdb)"
    "openocd:openocd:OpenOCD"
    "cmake:cmake:CMake (3.16 or later)"
)
case $level in
demo) tools=("${tools_demo[@]}") ;;
test) tools=("${tools_demo[@]}" "${tools_test[@]}") ;;
*) say "unknown level $level"; exit 2 ;;
esac

has_python() { "$1" -c 'import sys; sys.exit(not sys.version_info >= (3, 10))' 2>/dev/null; }
python=${PYTHON:-python3}
if ! has_python "$python"; then
    say "Python 3.10 or later is needed: install it, or name it: make $level PYTHON=/path/to/python3"
    exit 5
fi

packages=() wanted=()
for line in "${tools[@]}"; do
    IFS=: read -r command debian other <<<"$line"
    if ! command -v "$command" >/dev/null; then
        read -ra names <<<"$debian"
        packages+=("${names[@]}")
        wanted+=("$other")
    fi
done
# The compiler may be there without its C library.
if command -v arm-none-eabi-gcc >/dev/null && [ ! -f "$(arm-none-eabi-gcc -print-file-name=libc.a)" ]; then
    packages+=(libnewlib-arm-none-eabi)
    wanted+=("newlib for arm-none-eabi-gcc")
fi
if [ ! -x "$venv/bin/python" ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3-venv)
    wanted+=("Python's venv and ensurepip modules")
fi

if [ ${#packages[@]} -gt 0 ]; then
    if command -v apt-get >/dev/null; then
        sudo=()
        if [ "$(id -u)" != 0 ]; then
            if ! command -v sudo >/dev/null; then
                say "as root, run: apt-get install ${packages[*]}"
                exit 5
            fi
            sudo=(sudo)
        fi
        say "installing ${packages[*]}"
        "${sudo[@]}" apt-get update -q >&2
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >&2
    else
        say "these are missing; install them and run make $level again:"
        printf '  - %s\n' "${wanted[@]}" >&2
        if command -v brew >/dev/null; then say "with Homebrew: brew install qemu; brew install --cask gcc-arm-embedded"; fi
        exit 5
    fi
fi

# A stamp says for which pyproject.toml and which Python the packages were installed.
stamp=$venv/.installed-$level
fingerprint=$({ cat pyproject.toml; "$python" --version; pwd; } | cksum)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ]; then
    exit 0
fi
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "making $venv"
    "$python" -m venv --clear "$venv"
fi
say "installing the Python packages of [$level] (TensorFlow is the large one)"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -e ".[$level]" >&2
printf '%s' "$fingerprint" >"$stamp"
