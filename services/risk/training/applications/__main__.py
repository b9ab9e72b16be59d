"""`python -m services.risk.training.applications --out services/risk/artifacts`: writes them all.

The same seed and scale write the same files, byte for byte, on the same versions of the libraries.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from services.risk.training import papers
from services.risk.training.applications.fitting import PRODUCTS, SEED, train
from services.risk.training.export import ParityBroken


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes champion and challenger of each product; 1 if an export differs from its model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the artifacts")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the simulated world")
    parser.add_argument("--product", choices=PRODUCTS, action="append")
    chosen = parser.parse_args(arguments)
    for product in chosen.product or PRODUCTS:
        try:
            files = train(product, seed=chosen.seed, scale=chosen.scale)
        except ParityBroken as error:
            sys.stderr.write(f"not written: {error}\n")
            return 1
        papers.write(chosen.out, files)
        for name in sorted(files):
            if name.endswith(("/champion.json", "/challenger.json")):
                _tell(name, files[name])
    return 0


def _tell(name: str, content: bytes) -> None:
    fields = json.loads(content)
    found = {**fields["thresholds"], **fields["metrics"]}
    told = "  ".join(f"{key} {value:.4g}" for key, value in found.items())
    print(f"{name}: {fields['name']}-{fields['version']}  {told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
