"""Writes the page of features from their table: `python -m services.risk.features.page`."""

from pathlib import Path

from services.risk.features.definitions import FEATURES, FRAUD_INPUTS

PAGE = Path(__file__).resolve().parents[3] / "docs/risk-features.md"
HEAD = """# Features of a payment

What the fraud model and the policies may ask of a payment, for training and serving alike. \
This page follows from the table in `services/risk/features/definitions.py`: \
`python -m services.risk.features.page` writes it, and a test holds it.

- Time is the payment's own (`at`), never the time of arrival: late and out-of-order payments \
count where they belong, and no value looks past the payment's time. A window of `1h` is the \
hour that ends with the payment; the payment counts itself in.
- A payment counts once, by its id and time, whether it comes from a decision, from the bus or \
from both. Attempts count, whatever becomes of them.
- Money is in whole fen of CNY, by the policy's reference rates. A currency without one is \
counted and adds nothing.
- Device, IP address and merchant are there where the partner told them. Without one, its \
features are missing (null).
- What a ring shows is what was known when the payment was decided: who had told which \
identifier by then, and who was known fraud by then.
- A key holds its newest 512 payments and 200,000 keys of a kind are held; past that, counts \
saturate and the key that was touched longest ago is forgotten. What is later than a day behind \
the longest window of its key is forgotten.

"""


def rendered() -> str:
    """The page as it should be."""
    lines = ["| name | meaning | 含义 | in the fraud model |", "|---|---|---|---|"]
    for feature in FEATURES:
        used = "yes" if feature.name in FRAUD_INPUTS else ""
        lines.append(f"| `{feature.name}` | {feature.en} | {feature.zh} | {used} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(rendered())
