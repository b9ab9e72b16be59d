"""A page and a file of fields about models over the same labelled rows, in Chinese and English."""

from services.risk.evaluation.report.contents import (
    ColumnTold,
    Finding,
    Report,
    Severity,
    Subject,
    Text,
    fields,
    subject,
)
from services.risk.evaluation.report.rendering import page

__all__ = [
    "ColumnTold",
    "Finding",
    "Report",
    "Severity",
    "Subject",
    "Text",
    "fields",
    "page",
    "subject",
]
