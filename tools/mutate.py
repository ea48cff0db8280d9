"""Change an instruction or a byte of a table at a time, and see whether the cases notice (`make mutate`).

    python tools/mutate.py [--mutants N] [--flips N] [--seed N] [--kernels NAME ...] [--jobs N]

tests/mutation/run.py says how, docs/VERIFICATION.md what came of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.mutation.run import main

if __name__ == "__main__":
    sys.exit(main())
