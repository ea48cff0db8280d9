# `make demo` and `make test` set up all that they need first (tools/setup.sh); nothing else has to be done before.
PYTHON ?= python3
export PYTHON

# Tests at a time.
JOBS ?= auto
# Random models that `make fuzz` tries, on TFLM, on this machine and on QEMU.
N ?= 1000

BIN := .venv/bin
C_SOURCES := find templates boards firmware_examples tests \( -name '*.c' -o -name '*.h' \) -print0
# Damaged files that `make hostile` tries.
FILES ?= 20000

# Random cases that `make prove` forces each kernel onto, and where it starts.
CASES ?= 2000
SEED ?= 0
# Mutants of each block of assembly that `make mutate` tries.
MUTANTS ?= 20

.PHONY: demo test check lint fuzz hostile prove mutate docs examples bench format setup table clean

demo:
	@tools/setup.sh demo
	@"$(BIN)/python" -m mcu_quant demo -o build/demo --force

# What CI runs, after `make lint`.
test: setup
	"$(BIN)/python" -m pytest -n $(JOBS) --dist worksteal

# The quick set: style, types, C format, and the tests that take no longer than a moment.
check: lint
	"$(BIN)/python" -m pytest -n $(JOBS) -q -m "not slow and not qemu"

lint: setup
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .
	"$(BIN)/python" -m mypy
	$(C_SOURCES) | xargs -0 "$(BIN)/clang-format" --dry-run -Werror

fuzz: setup
	"$(BIN)/python" -m tests.hunter --n $(N)

# Damaged models and data, FILES of them, each given to the command line.
hostile: setup
	"$(BIN)/python" -m tests.hostile --n $(FILES)

# Every kernel with assembly on CASES random cases, on this computer and on QEMU; then each family's library built
# by other compilers and options (a few hours of one core). docs/VERIFICATION.md has what came of it.
prove: setup
	"$(BIN)/python" -m tests.kernels.prove --cases $(CASES) --seed $(SEED) $(if $(KERNELS),--kernels $(KERNELS))
	"$(BIN)/python" -m tests.kernels.variants

# Whether the cases notice changed instructions and tables.
mutate: setup
	"$(BIN)/python" tools/mutate.py --mutants $(MUTANTS) --seed $(SEED) $(if $(KERNELS),--kernels $(KERNELS))

# What is generated from the code, and committed.
docs: setup
	"$(BIN)/python" tools/supported_ops.py
	"$(BIN)/python" tools/arena_picture.py

# The generated C of firmware_examples/, from the models there.
examples: setup
	"$(BIN)/python" tools/examples.py

# The README's table of measurements, on the published models in ../shared.
table: setup
	"$(BIN)/python" tools/readme_table.py

# The published models beside TFLM + CMSIS-NN, on every core in every mode (some 20 minutes): docs/BENCHMARKS.md and
# benchmarks.json. CHECK=1 compares with them instead, and fails if something grew by more than 1 %.
bench: setup
	"$(BIN)/python" tools/bench.py $(if $(CHECK),--check)

format: setup
	"$(BIN)/python" -m ruff check --fix -q .
	"$(BIN)/python" -m ruff format -q .
	$(C_SOURCES) | xargs -0 "$(BIN)/clang-format" -i

setup:
	@tools/setup.sh test

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
