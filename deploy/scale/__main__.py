"""`python -m deploy.scale` writes the tables anew, from the last `make bench`."""

import sys

from deploy.local.options import ROOT
from deploy.scale.tables import write

if __name__ == "__main__":
    try:
        page = write(ROOT / ".run")
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"scale: run `make bench` first ({type(error).__name__}: {error})")
    print(f"written: {page.relative_to(ROOT)}")
