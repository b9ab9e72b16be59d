"""How good the models are: `make models` measures them and writes `docs/models.md`.

Everything is computed anew. `docs/models/figures.json` holds the figures, from which the page is
written, so that a test can tell whether page, figures and artifacts belong together.
"""
