"""Charts as inline SVG (matplotlib) and sheets of small images as PNG. Every picture carries its own alt text.

A chart takes ink, muted ink, grid and panel colour from the page, so that it follows light, dark and print: it is drawn
with stand-in colours that become CSS names in the SVG. Series have the Okabe-Ito palette, which colour-blind readers
can tell apart; more than eight groups repeat the colours with another marker and carry their number in the picture.
"""
import base64
import html
import io
import re

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402
from PIL import Image  # noqa: E402

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C", "#F0E442"]
MARKERS = "o^sDvP"
BLUE, ORANGE, GREEN, PINK, RED = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[3], PALETTE[5]
INK, MUTED, GRID, PANEL = "#010203", "#010204", "#010205", "#010206"
CSS = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--rule)", PANEL: "var(--panel)"}
FADE = LinearSegmentedColormap.from_list("fade", [to_rgba(BLUE, 0), to_rgba(BLUE, 1)])
SIZE = (4.7, 2.9)  # inches of 72 units; the page scales it
TALL = (4.7, 6.75)  # beside two charts above each other
NUMBERS_MAX = 15  # rows and columns of a matrix that still shows its counts
TICKS_MAX = 40  # groups that are named one by one
BARS_MAX, POINTS_MAX, GROUPS_MAX = 400, 2000, 50  # of a chart; what is more is thinned out, or grey
IMAGE_SIDE_MAX = 64  # pixels; larger images are averaged down
GAP = 2  # pixels between images of a strip

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "dcmpi", "font.size": 9, "axes.labelsize": 9, "legend.fontsize": 8.5,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "grid.color": GRID,
    "grid.linewidth": 0.7, "lines.linewidth": 1.6, "legend.frameon": False, "figure.constrained_layout.use": True,
}


def group_colour(g):
    """Colour of group g; every further round through the palette is greyer."""
    keep = 0.5 ** (g // len(PALETTE) % 3)
    return tuple(keep * c + (1 - keep) * 0.5 for c in to_rgb(PALETTE[g % len(PALETTE)]))


def plain(text, limit=16):
    """A user's name as text for a picture: one short line, in which dollars do not start mathematics."""
    text = " ".join(str(text).split())
    text = text if len(text) <= limit else text[:limit - 1] + "\u2026"
    return text.replace("$", r"\$")


def new_axes(size=SIZE, grid="y"):
    """An empty chart."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=size)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid)
    return axes


def svg(axes, alt, name):
    """The finished chart as inline SVG; `name` keeps its ids apart from those of other charts."""
    out = io.StringIO()
    with plt.rc_context(STYLE):
        axes.figure.savefig(out, format="svg", transparent=True, dpi=200,
                            metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(axes.figure)
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>",
                  r'<svg \1 role="img" aria-label="%s">' % html.escape(alt).replace("\\", r"\\"), text, count=1)
    text = re.sub(r'\bid="', 'id="%s-' % name, text)
    text = re.sub(r'(xlink:)?href="#', 'href="#%s-' % name, text).replace("url(#", "url(#%s-" % name)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"font: ([^;\"]*?)([\d.]+)px [^;\"]*", r"font: \1\2px var(--font)", text)
    for colour, css in CSS.items():
        text = text.replace(colour, css)
    return re.sub(r"[ \t]*\n\s*", "\n", text)


def legend(axes, count=2):
    """A legend above the chart, where it covers no data."""
    with plt.rc_context(STYLE):
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=count, borderaxespad=0.2, handlelength=1.4,
                    columnspacing=1.2)


def number(value):
    """A number for people: 1,234 or 0.0123."""
    if not np.isfinite(value):
        return "\u2013"
    return "{:,.0f}".format(value) if value == int(value) and abs(value) < 1e15 else "{:.4g}".format(value)


def thinned(n, most):
    """Indices of all n values, or of `most` of them at equal distances, the first and the last included."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)


def lines(name, x, series, xlabel, ylabel, log=False, limit=None):
    """Curves over one x. series: [(label, y, colour)]; limit: (value, label) of a horizontal line."""
    axes = new_axes()
    said, shown = [], thinned(len(x), POINTS_MAX)
    for label, y, colour in series:
        axes.plot(x[shown], y[shown], color=colour, label=label, marker="o" if len(x) < 3 else None, markersize=4,
                  clip_on=False)
        good = y[np.isfinite(y)]
        said.append("%s goes from %s to %s" % (label, number(good[0]), number(good[-1])) if len(good) else label)
    if limit:
        axes.axhline(limit[0], color=MUTED, linestyle=(0, (4, 3)), linewidth=1, label=limit[1])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if log:
        axes.set_yscale("log")
    else:
        low, high = (pick([pick(y[np.isfinite(y)], initial=0) for _, y, _ in series]) for pick in (np.min, np.max))
        axes.set_ylim(1.08 * low, 1.08 * high if high > low else 1)
    axes.set_xlim(0, max(x[-1], 1))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(series) + bool(limit) > 1:
        legend(axes)
    return svg(axes, "Line chart over %s: %s (%d records)." % (xlabel, "; ".join(said), len(x)), name)


def bars(name, values, xlabel, ylabel, alt):
    """One bar per group, in the order of the groups."""
    axes = new_axes()
    at = thinned(len(values), BARS_MAX)
    step = len(values) / max(len(at), 1)
    axes.bar(at, values[at], width=0.75 if len(values) <= TICKS_MAX else step, color=BLUE)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))
    if len(values) <= TICKS_MAX:
        axes.set_xticks(np.arange(0, len(values), 1 if len(values) <= 20 else 5))
    return svg(axes, alt, name)


def histogram(name, counts, xlabel, ylabel, alt):
    """Counts of equal bins over 0 to 1."""
    axes = new_axes()
    axes.bar((np.arange(len(counts)) + 0.5) / len(counts), counts, width=0.9 / len(counts), color=BLUE)
    axes.set_xlim(0, 1)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v)))
    return svg(axes, alt, name)


def matrix(name, counts, shade, row_names, column_names, ylabel, xlabel, alt):
    """Counts in cells; `shade` in [0, 1] colours them."""
    rows, columns = counts.shape
    large = max(rows, columns) > NUMBERS_MAX
    size = (5.8, 5.8 * min(max(rows / columns, 0.35), 1.2) * 0.78 + 0.6)
    axes = new_axes(size, grid=None)
    axes.imshow(shade, cmap=FADE, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for (i, j), count in np.ndenumerate(counts) if not large else ():
        if count:
            axes.text(j, i, number(count), ha="center", va="center", fontsize=8.5,
                      color="#ffffff" if shade[i, j] > 0.55 else INK)
    for axis, names, room in ((axes.yaxis, row_names, size[1] / 0.18), (axes.xaxis, column_names, size[0] / 0.26)):
        step = -(-len(names) // int(room))
        axis.set_ticks(np.arange(0, len(names), step), [plain(n) for n in names[::step]])
    if max(len(str(n)) for n in column_names) > 3:
        axes.tick_params(axis="x", labelrotation=60)
    axes.tick_params(length=0)
    axes.set_ylabel(ylabel)
    axes.set_xlabel(xlabel)
    return svg(axes, alt, name)


def scatter(name, xy, group, names, labels, alt):
    """Points coloured by group, each group's name at its median; if there are many groups, the largest. labels: of the axes."""
    axes = new_axes((5.2, 4.5), grid=None)
    known = (group >= 0) & (group < len(names))
    present, count = np.unique(group[known], return_counts=True)
    coloured = np.sort(present[np.argsort(-count, kind="stable")[:GROUPS_MAX]])
    rest = xy[known & ~np.isin(group, coloured)]
    if len(rest):
        axes.scatter(rest[:, 0], rest[:, 1], s=6, color=MUTED, alpha=0.3, linewidths=0, rasterized=True)
    for g in coloured:
        mine = xy[group == g]
        axes.scatter(mine[:, 0], mine[:, 1], s=6, color=group_colour(g), alpha=0.65, linewidths=0,
                     marker=MARKERS[g // len(PALETTE) % len(MARKERS)], rasterized=True)
        if len(names) <= TICKS_MAX:
            x, y = np.median(mine, axis=0)
            axes.text(x, y, plain(names[g], 12), ha="center", va="center", fontsize=8.5, fontweight="bold", color=INK,
                      bbox={"boxstyle": "round,pad=0.2", "facecolor": PANEL, "edgecolor": MUTED, "linewidth": 0.5,
                            "alpha": 0.9})
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return svg(axes, alt, name)


def silhouette(name, value, group, K, alt, tall):
    """Each cluster's sorted silhouettes as a band, with their mean as a number; above TICKS_MAX clusters only means."""
    if K > TICKS_MAX:
        means = [value[group == k].mean() for k in np.unique(group)]
        return bars(name, np.sort(means)[::-1], "clusters, best first", "mean silhouette", alt)
    axes = new_axes(TALL if tall else SIZE, grid="x")
    at, ticks, gap = 0, [], max(1, len(value) // 100)
    for k in range(K):
        band = np.sort(value[group == k])[::-1]
        axes.fill_betweenx(np.arange(at, at + len(band)), 0, band, color=group_colour(k), linewidth=0,
                           step="post")
        ticks.append(at + len(band) / 2)
        at += len(band) + gap
    axes.axvline(value.mean(), color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
    axes.set_yticks(ticks, [str(k) for k in range(K)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(at, -gap)
    axes.set_xlim(min(value.min(), 0) - 0.02, 1)
    axes.set_xlabel("silhouette (dashed: mean of all, %.2f)" % value.mean())
    axes.set_ylabel("cluster")
    return svg(axes, alt, name)


def as_images(rows, shape):
    """Rows [n, D] as images [n, h, w] or [n, h, w, 3]; channels may come first or last. None if D does not fit."""
    if rows.shape[1] != np.prod(shape):
        return None
    images = rows.reshape((len(rows),) + shape).astype(np.float64)
    if len(shape) == 3 and shape[2] not in (1, 3) and shape[0] in (1, 3):
        images = np.moveaxis(images, 1, 3)
    if images.ndim == 4 and images.shape[3] != 3:
        images = images[..., 0]
    step = -(-max(images.shape[1:3]) // IMAGE_SIDE_MAX)
    h, w = (side // step * step for side in images.shape[1:3])
    cut = images[:, :h, :w]
    return cut.reshape((len(cut), h // step, step, w // step, step) + cut.shape[3:]).mean(axis=(2, 4))


def strip(images, low, high, show):
    """Images side by side as a PNG data URI, with transparent gaps; show[i] false leaves a place empty."""
    n, h, w = images.shape[:3]
    grey = np.clip((images - low) / max(high - low, 1e-30) * 255 + 0.5, 0, 255).astype(np.uint8)
    grey = grey if grey.ndim == 4 else grey[..., None]
    sheet = np.zeros((h, n * (w + GAP) - GAP, grey.shape[3] + 1), np.uint8)
    for i in range(n):
        if show[i]:
            sheet[:, i * (w + GAP):i * (w + GAP) + w] = np.concatenate([grey[i], np.full((h, w, 1), 255, np.uint8)], 2)
    out = io.BytesIO()
    Image.fromarray(sheet, "LA" if sheet.shape[2] == 2 else "RGBA").save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
