"""Bar charts as SVG, made from a template: no script, no font of their own, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 16, 16, 74, 40
COLOURS = ("#2f6fb7", "#d9822b", "#4b9b5f", "#9a5fb0", "#b8453a", "#6b7a8f")


def bars(title: str, unit: str, categories: Sequence[str], series: Mapping[str, Sequence[float]], *, digits: int = 0) -> str:
    """Return a chart with one group of bars for each category and one bar in it for each series, each with its value above.

    Args:
        categories: Below the groups.
        series: By name, a value for each category.
        digits: After the point.
    """
    highest = max((value for values in series.values() for value in values), default=0.0) or 1.0
    group = (WIDTH - LEFT - RIGHT) / len(categories)
    width = min(64.0, group * 0.84 / len(series))
    floor = HEIGHT - BOTTOM
    parts = [_text(LEFT, 24, title, size=16, weight="600"), _text(LEFT, 42, unit, size=12, opacity=0.7)]
    for index, name in enumerate(series):
        x = LEFT + index * (WIDTH - LEFT - RIGHT) / len(series)
        parts += [f'<rect x="{x:.1f}" y="52" width="10" height="10" rx="2" fill="{_colour(index)}"/>', _text(x + 15, 61, name, size=12)]
    parts.append(f'<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}" stroke="currentColor" stroke-opacity="0.3"/>')
    for column, category in enumerate(categories):
        middle = LEFT + group * (column + 0.5)
        parts.append(_text(middle, floor + 20, category, size=12, anchor="middle"))
        for index, values in enumerate(series.values()):
            height = (floor - TOP - 20) * values[column] / highest
            x = middle - width * len(series) / 2 + width * index
            parts.append(f'<rect x="{x + 1:.1f}" y="{floor - height:.1f}" width="{width - 2:.1f}" height="{height:.1f}" rx="2" fill="{_colour(index)}"/>')
            parts.append(_text(x + width / 2, floor - height - 5, f"{values[column]:,.{digits}f}", size=11, anchor="middle"))
    style = "svg { color: #1f2328; font-family: system-ui, sans-serif } @media (prefers-color-scheme: dark) { svg { color: #e6e6e6 } }"
    described = f"{title} ({unit})"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">'
    return "\n".join([head, f"<title>{escape(described)}</title>", f"<style>{style}</style>", *parts, "</svg>", ""])


def _text(x: float, y: float, words: str, *, size: int, anchor: str = "start", weight: str = "400", opacity: float = 1.0) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text {place} fill="currentColor" fill-opacity="{opacity:g}">{escape(words)}</text>'


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
