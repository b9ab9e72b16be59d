"""A calibration plot as an SVG file of its own: what was promised, and what came."""

from services.risk.evaluation import Calibration
from services.risk.evaluation.report.drawing import calibration_chart

_STYLE = (
    "text{font:11px sans-serif;fill:#333}.axis{stroke:#999}.guide{stroke:#999;fill:none;"
    "stroke-dasharray:4 4}.curve{stroke:#0b5cad;fill:none;stroke-width:1.5}.dot{fill:#0b5cad}"
    ".bar{stroke:#0b5cad}"
)


def calibration_plot(name: str, found: Calibration) -> str:
    """Tenths of the rows by their score, each with Wilson's interval; the guide is perfect."""
    chart = calibration_chart([(name, 0, found)])
    left, right, top, bottom = chart.left, chart.right, chart.top, chart.bottom
    size = f'viewBox="0 0 {chart.width} {chart.height}" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-label="Calibration of {name}">',
        f"<title>Calibration of {name}</title><style>{_STYLE}</style>",
        f'<rect width="{chart.width}" height="{chart.height}" fill="#fff"/>',
        f'<text x="{left}" y="16">{name}</text>',
        f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>',
        f'<line class="axis" x1="{left}" y1="{top}" x2="{left}" y2="{bottom}"/>',
        f'<polyline class="guide" points="{chart.guide}"/>',
    ]
    for x, words in chart.x_ticks:
        parts.append(f'<text x="{x}" y="{bottom + 14}" text-anchor="middle">{words}</text>')
    for y, words in chart.y_ticks:
        parts.append(f'<text x="{left - 5}" y="{y + 4}" text-anchor="end">{words}</text>')
    parts.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 30}" text-anchor="middle">'
        "probability promised (across), share that went bad (up)</text>"
    )
    for curve in chart.curves:
        parts.append(f'<polyline class="curve" points="{curve.points}"/>')
        for x, y, low, high in curve.dots:
            parts.append(f'<line class="bar" x1="{x}" y1="{low}" x2="{x}" y2="{high}"/>')
            parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="2.5"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"
