"""The chart of `docs/performance.md`, drawn from the same JSON as its tables.

One picture answers one question: how long does each verifier take for an RS256 token that it has never seen,
and for one that it has, beside the signature check that none of them can avoid: with the example, and with
the worst real token. The axis is logarithmic and says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

OURS = "bearerguard"
COLOURS = {"new": "#2f6f8f", "repeated": "#e0a030"}
LABELS = {"new": "token never seen", "repeated": "the same token again"}


def draw(document: dict[str, Any], path: Path, algorithm: str = "RS256") -> None:
    """Draw the verifiers of one algorithm, fastest first, with each token that they were compared by.

    Args:
        document: What `bench.report.merge` returned; its part `verify` has to be there.
        path: Where to write the PNG.
        algorithm: Whose rows to draw.
    """
    rows = [row for row in document["parts"]["verify"]["rows"] if row["algorithm"] == algorithm]
    tokens = list(dict.fromkeys(row["token"] for row in rows))
    longest = max(sum(row["token"] == token for row in rows) for token in tokens)
    figure, panels = plt.subplots(
        1,
        len(tokens),
        figsize=(6.5 * len(tokens), 0.5 * longest + 1.6),
        layout="constrained",
        squeeze=False,
        sharex=True,
    )
    for axes, token in zip(panels[0], tokens, strict=True):
        _draw_token(axes, [row for row in rows if row["token"] == token], token, algorithm)
    panels[0][0].legend(loc="upper right", frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)


def _draw_token(axes: Any, rows: list[dict[str, Any]], token: str, algorithm: str) -> None:
    rows = sorted(rows, key=lambda row: row["new"]["median"], reverse=True)
    ours = next(row for row in rows if row["name"] == OURS)
    for offset, case in ((0.2, "new"), (-0.2, "repeated")):
        places = [place + offset for place in range(len(rows))]
        medians = [row[case]["median"] for row in rows]
        bars = axes.barh(places, medians, height=0.38, color=COLOURS[case], label=LABELS[case])
        axes.bar_label(
            bars,
            [f"{median:,.1f}" if median < 100 else f"{median:,.0f}" for median in medians],
            padding=3,
            fontsize=8,
        )
    axes.axvline(
        ours["floor"]["median"],
        color="#555555",
        linestyle="--",
        linewidth=1,
        label=f"bare {algorithm} signature check, cryptography",
    )
    axes.set_title(token, fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(right=max(row[case]["median"] for row in rows for case in COLOURS) * 3)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    axes.set_xlabel(f"microseconds to verify one {algorithm} token; logarithmic, less is better")
    axes.spines[["top", "right"]].set_visible(False)
