"""What encryption adds to writing and reading a table of 100,000 images: `python -m benchmarks.sealing`."""

import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from cxrcore import schema

ROWS = 100_000


def main() -> None:
    """Print the best of five times in seconds, in plain and encrypted, as one JSON line."""
    table = pd.DataFrame(
        {
            "path": [f"/data/hospital/patient{k // 3:06d}/{k}.png" for k in range(ROWS)],
            "sha256": [secrets.token_hex(32) for _ in range(ROWS)],
            "label": ["COVID", "NORMAL"] * (ROWS // 2),
            "patient": [f"hospital:patient{k // 3:06d}" for k in range(ROWS)],
            **dict.fromkeys(("source", "finding", "view"), "hospital"),
            **dict.fromkeys(("lungs", "lesions", "left_out", "left_out_reason"), ""),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CXR_KEY_FILE"] = str(Path(folder) / "path.key")
        path, found = Path(folder) / "table.parquet", {}
        for name, seal in (("plain", False), ("encrypted", True)):
            found[f"{name}_write"] = _best(partial(schema.write_table, path, table, seal=seal))
            found[f"{name}_read"] = _best(partial(schema.read_table, path))
        print(json.dumps(found | {"rows": ROWS}))


def _best(action: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return round(min(times), 3)


if __name__ == "__main__":
    main()
