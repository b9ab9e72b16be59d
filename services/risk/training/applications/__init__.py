"""Models of applications: for an account, a loan or a card, fitted on simulated applicants.

`python -m services.risk.training.applications --out FOLDER` writes the artifacts. What is assumed
of applicants stands in the worlds; features come from the function that serves.
"""
