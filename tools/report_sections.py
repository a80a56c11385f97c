"""The parts of a report, one function each: Run in, HTML out; "" where a run has nothing to show."""
import os

import numpy as np

import report_charts as charts
import report_html as page
from report_data import SEED, take_rows
from report_html import number, optional
from report_math import PCA_COLUMNS_MAX, cluster_means, is_plane, largest, majority, means_of, plane, silhouettes

MAP_ROWS, SILHOUETTE_ROWS, LINES_MAX, FILES_MAX = 5000, 3000, 50, 20
TABLE_ROWS, TOP = 200, 50  # a table of more clusters, or of more classes than TOP, shows the largest TOP of them

STOPS = {
    "converged": "It converged after %s.",
    "assigned": "Each row got its cluster once; the network was not trained further (%s).",
    "max_iter": "It did not converge: it stopped at its limit of %s.",
    "collapsed": "Warning: the clusters collapsed after %s; do not trust this result.",
}


def count_of(n, one, many):
    """1 cluster, 2 clusters."""
    return "%s %s" % (number(n), one if n == 1 else many)


def header(run):
    """Name, verdict and the main numbers."""
    steps, stop = int(run.h5.attrs.get("iterations", 0)), run.attr("stop_reason")
    empty = int((run.size == 0).sum())
    method, unit = ("k-means", "iteration") if run.method() == "k-means" else (run.method().upper(), "step")
    verdict = "%s sorted %s into %s. " % (method, count_of(run.N, "row", "rows"),
                                          count_of(run.K, "cluster", "clusters"))
    verdict += STOPS.get(stop, "It stopped after %s.") % count_of(steps, unit, unit + "s")
    if empty:
        verdict += " %s empty." % (count_of(empty, "cluster is", "clusters are"))
    return page.Html(
        '<p class="kicker">dcmpi report \u00b7 %s</p>\n<h1>%s</h1>\n' % (page.esc(run.attr("created")),
                                                                      page.esc(run.name)) +
        page.paragraph(verdict, "lead") + main_numbers(run) + result_line(run) + "<!--contents-->\n")


def main_numbers(run):
    """Tiles."""
    scores = run.metrics()
    pairs = [(text, optional(scores[key])) for key, text in
             (("acc", "accuracy"), ("nmi", "NMI (geometric)"), ("ari", "adjusted Rand"), ("purity", "purity"),
              ("f_measure", "F-measure")) if key in scores]
    pairs += [("rows", number(run.N)), ("clusters", number(run.K))]
    if "inertia" in run.h5.attrs:
        pairs.append(("inertia", "%.6g" % float(run.h5.attrs["inertia"])))
    seconds = float(run.summary.get("result", {}).get("wall_s") or run.h5.attrs.get("wall_seconds", 0))
    if seconds > 0:
        pairs.append(("wall time", "%.1f s" % seconds if seconds < 600 else "%.1f min" % (seconds / 60)))
    return page.tiles(pairs)


def result_line(run):
    """The line that the program printed last."""
    found = [line for line in run.log if line.startswith("RESULT ")]
    return page.code(found[-1]) if found else ""


def sizes_chart(run):
    """Rows per cluster."""
    alt = "Bar chart of rows per cluster: smallest %s, largest %s, mean %s." % (
        number(run.size.min()), number(run.size.max()), number(run.size.mean()))
    sizes, xlabel = run.size, "cluster"
    if run.K > charts.BARS_MAX:
        sizes, xlabel = np.sort(run.size)[::-1], "clusters, largest first"
    return page.figure(charts.bars("sizes", sizes, xlabel, "rows", alt),
                       "Cluster sizes. The mean is %s rows." % number(round(run.size.mean(), 1)))


def confidence_chart(run, mean, bins):
    """Distribution of the confidence."""
    if mean is None:
        return ""
    sure = bins[-2:].sum() / max(run.N, 1)
    alt = "Histogram of the confidence of all rows; %.0f %% of them are at 0.9 or above." % (100 * sure)
    return page.figure(charts.histogram("confidence", bins, "confidence", "rows", alt),
                       "Confidence: the largest soft assignment of each row. %.1f %% of the rows are at 0.9 or above."
                       % (100 * sure))


def silhouette_of(run):
    """(silhouettes, labels) of the fixed sample, or None."""
    rows = run.sample(SILHOUETTE_ROWS)
    points = run.points(rows)
    if points is None or not len(rows) or not np.isfinite(points).all():
        return None
    labels = take_rows(run.labels, rows)
    value = silhouettes(points, labels)
    return None if value is None else (value, labels)


def silhouette_chart(run, found, tall):
    """Silhouettes per cluster."""
    if found is None:
        return ""
    value, labels = found
    space = "embedding" if run.embedding is not None else "scaled data"
    alt = "Silhouettes per cluster in the %s: mean %.3f, %.0f %% of the rows below zero." % (
        space, value.mean(), 100 * (value < 0).mean())
    return page.figure(charts.silhouette("silhouette", value, labels, run.K, alt, tall),
                       "Silhouettes in the %s, %s. Near 1: deep inside its cluster; below 0: closer to another one."
                       % (space, sampled(run, len(value))), "tall" if tall else "")


def sampled(run, n):
    """How a sample was drawn."""
    return "all %s rows" % number(n) if n == run.N else "%s rows drawn at random (seed %d)" % (number(n), SEED)


def cluster_rows(run, shown, mean, outliers, found):
    """The table's columns: names, and a row per cluster that is shown."""
    size = run.size[shown]
    head, columns = ["cluster", "rows", "share"], [shown, [number(s) for s in size],
                                                   [page.share_bar(s / max(run.N, 1)) for s in size]]
    if mean is not None:
        head.append("mean confidence")
        columns.append([optional(v) for v in mean[shown]])
    if found is not None:
        value, labels = found
        head.append("mean silhouette")
        columns.append([optional(v) for v in means_of(labels, value, run.K)[shown]])
    if run.confusion is not None:
        best, purity = majority(run.confusion[:, shown])
        names = run.class_names()
        head += ["largest class", "its share"]
        columns += [[names[c][:30] if s else "\u2013" for c, s in zip(best, size)], ["%.1f %%" % (100 * p)
                                                                               for p in purity]]
    if outliers is not None:
        head.append("outliers")
        columns.append([number(v) for v in outliers[shown]])
    return head, list(zip(*columns))


def clusters(run):
    """Sizes, confidence, silhouettes, and the table of clusters."""
    mean, outliers, bins = cluster_means(run)
    found = silhouette_of(run)
    shown = np.arange(run.K) if run.K <= TABLE_ROWS else largest(run.size, TOP)
    head, rows = cluster_rows(run, shown, mean, outliers, found)
    caption = "One row per cluster." if run.K <= TABLE_ROWS else "The %d largest clusters." % TOP
    body = page.grid(sizes_chart(run), silhouette_chart(run, found, mean is not None and run.K <= charts.TICKS_MAX),
                     confidence_chart(run, mean, bins))
    if outliers is not None:
        body += page.paragraph("%s flagged as outliers by their low confidence; they keep their cluster." %
                               count_of(outliers.sum(), "row is", "rows are"))
    return page.section("clusters", "Clusters", body, page.table(head, rows, caption))


def members(run):
    """Ids of the rows with each cluster's surest and least sure labels; "" if rows have no ids."""
    kinds = [(title, run.members(kind)) for title, kind in (("nearest", "nearest"), ("least certain", "border"))]
    kinds = [(title, rows) for title, rows in kinds if rows is not None]
    if not kinds or run.ids([0]) is None:
        return ""
    shown = largest(run.size, TABLE_ROWS)
    table = [[str(k)] + [", ".join(run.ids([row for row in rows[k] if row >= 0])) for _, rows in kinds] for k in shown]
    caption = "Rows by their ids, with the highest and the lowest confidence."
    return page.section("members", "Members", page.table(["cluster"] + [title for title, _ in kinds], table, caption))


def confusion(run):
    """Classes against clusters; if there are many, the largest."""
    if run.confusion is None or not run.confusion.size:
        return ""
    best, _ = majority(run.confusion)
    classes = np.sort(largest(run.confusion.sum(axis=1), TOP))
    shown = largest(run.size, TOP) if run.K > TOP else np.arange(run.K)
    order = shown[np.lexsort((-run.size[shown], best[shown]))]
    counts = run.confusion[np.ix_(classes, order)]
    shade = counts / np.maximum(run.confusion[:, order].sum(axis=0), 1)
    pure = run.confusion.max(axis=0).sum() / max(run.confusion.sum(), 1)
    alt = ("Matrix of %d classes by %d clusters; on average %.0f %% of a cluster's rows belong to its largest class." %
           (run.confusion.shape[0], run.K, 100 * pure))
    names = run.class_names()
    picture = charts.matrix("confusion", counts, shade, [names[c] for c in classes], [str(k) for k in order],
                            "true class", "cluster, ordered by its largest class", alt)
    caption = "Rows of each true class in each cluster; the colour is the share of the cluster."
    if len(classes) < len(names) or len(shown) < run.K:
        caption += " Shown are the %s and %s with the most rows." % (
            count_of(len(classes), "class", "classes"), count_of(len(shown), "cluster", "clusters"))
    scores = run.metrics()
    text = "The labels were used for this comparison only, never for training. Scores: " + ", ".join(
        "%s %s" % (name, optional(scores[key], "%.4f")) for key, name in
        (("acc", "accuracy"), ("nmi", "NMI (geometric)"), ("nmi_arithmetic", "NMI (arithmetic)"),
         ("ari", "adjusted Rand index"), ("purity", "purity"), ("f_measure", "F-measure by classes"),
         ("f_pairs", "F-measure by pairs")) if key in scores) + "."
    return page.section("confusion", "Clusters and true classes", page.paragraph(text), page.figure(
        picture, caption, shape="wide"))


def embedding(run):
    """Two principal components of a sample, by cluster and by class."""
    rows = run.sample(MAP_ROWS)
    points = run.points(rows)
    if points is None and run.data_note and run.map() is not None:
        return page.section("map", "Map", page.paragraph(
            "The first two principal components of all rows are in run.h5, but nothing is drawn on them. " + run.data_note))
    if points is None or len(rows) < 2 or points.shape[1] > PCA_COLUMNS_MAX or not np.isfinite(points).all():
        return ""
    xy, share = plane(run, points)
    axes = ["component %d (%.0f %% of the variance)" % (i + 1, 100 * s) for i, s in enumerate(share)]
    alt = "Scatter plot of %s on two principal components, coloured by %%s." % sampled(run, len(rows))
    label = take_rows(run.labels, rows)
    names = [str(k) for k in range(run.K)]
    body = [page.figure(charts.scatter("map-cluster", xy, label, names, axes, alt % "cluster"),
                        "Coloured by cluster; numbers at the clusters' medians.")]
    truth = run.truth(rows)
    if truth is not None and (truth >= 0).any():
        known = truth >= 0
        body.append(page.figure(charts.scatter("map-class", xy[known], truth[known], run.class_names(), axes,
                                               alt % "true class"), "The same points, coloured by true class."))
    what = ("the %d-dimensional embedding" % points.shape[1] if run.embedding is not None
            else "the scaled data, %d columns" % points.shape[1])
    whose = ", of all rows," if len(rows) < run.N and is_plane(run.map(), points) else ""
    return page.section("map", "Map", page.paragraph("Two principal components%s of %s: %s." % (
        whose, what, sampled(run, len(rows)))), page.grid(*body))


PHASE_TITLES = {"pretrain": "Pretraining", "cluster": "Clustering", "finetune": "Fine-tuning"}


def x_column(columns):
    """Name and values of the column that counts time."""
    for name in ("epoch", "iter", "step"):
        if name in columns:
            return name, columns[name]
    n = max(len(v) for v in columns.values())
    return "record", np.arange(1, n + 1)


def is_steep(y):
    """Is a logarithmic axis easier to read?"""
    good = y[np.isfinite(y)]
    return len(good) > 1 and good.min() > 0 and good.max() > 20 * good.min()


def curve(phase, columns, key, title, caption, label="", extra=None, colour=charts.BLUE, limit=None):
    """One quantity of a phase over time; extra: a second one, (key, label, colour), shown where it is not zero."""
    x_name, x = x_column(columns)
    if key not in columns or len(columns[key]) != len(x) or not len(x):
        return ""
    series = [(label or title, columns[key], colour)]
    if extra and np.any(columns.get(extra[0], 0) != 0) and len(columns[extra[0]]) == len(x):
        series.append((extra[1], np.where(columns[extra[0]] != 0, columns[extra[0]], np.nan), extra[2]))
    log = all(is_steep(y) for _, y, _ in series)
    return page.figure(charts.lines("%s-%s" % (phase, key), x, series, {"iter": "step"}.get(x_name, x_name), title,
                                    log, limit), caption)


def batch_divergence(run, columns):
    """KL divergence of the last batches, from the loss: reconstructing methods minimise reconstruction + gamma * KL."""
    total, recon = columns.get("step_loss", np.zeros(0)), columns.get("step_recon", np.zeros(0))
    if not np.any(recon != 0):
        return total
    gamma = float(run.deck_value(run.method(), "gamma") or run.deck_value("cluster", "gamma") or 1)
    return (total - recon) / gamma if gamma > 0 and len(total) == len(recon) else np.zeros(0)


def phase_figures(run, index, phase, columns):
    """The curves of one phase."""
    name = "phase%d" % index
    title = PHASE_TITLES.get(phase, phase.replace("_", " ").capitalize())
    if "changed" not in columns:
        x, last = x_column(columns), columns.get("loss", np.array([np.nan]))[-1:]
        return curve(name, columns, "loss", "reconstruction loss", "%s: mean loss per row of each %s; at the end %s."
                     % (title, x[0], number(last[0]) if len(last) else "\u2013"))
    tol = run.deck_value("cluster", "tol")
    limit = (float(tol), "stop below %s" % tol) if tol.replace(".", "", 1).replace("e-", "", 1).isdigit() else None
    columns = dict(columns, batch_kl=batch_divergence(run, columns))
    later = {key: value[1:] for key, value in columns.items()} if len(columns["changed"]) > 1 else columns
    return "".join([
        curve(name, columns, "loss", "KL divergence", title + ": KL divergence to the target over all rows at each "
              "refresh of the target, and of the last batch before it.", "all rows",
              ("batch_kl", "last batch", charts.ORANGE)),
        curve(name, later, "changed", "share of rows", title + ": rows that changed their cluster since the refresh "
              "before.", "changed rows", limit=limit if limit and limit[0] > 0 else None),
        curve(name, columns, "k_effective", "effective clusters", title + ": exp of the entropy of the cluster sizes; "
              "%d if all are equal." % run.K, colour=charts.GREEN),
        curve(name, later, "step_recon", "reconstruction loss", title + ": reconstruction loss of the last batch "
              "before each refresh.", colour=charts.RED) if np.any(columns.get("step_recon", 0) != 0) else "",
    ])


def training(run):
    """Curves of all phases."""
    phases = run.histories()
    body = [phase_figures(run, i, phase, columns) for i, (phase, columns) in enumerate(phases)]
    return page.section("training", "Training", page.grid(*body)) if any(body) else ""


def timing_rows(run):
    """Seconds and rates of each section, from summary.json or else from run.h5."""
    if isinstance(run.summary.get("timing"), dict):
        return run.summary["timing"]
    keys = ("calls", "min_s", "avg_s", "max_s", "slowest_rank")  # and two rates, in later versions
    group = run.h5.get("timing", {})
    found = {name: item[:] for name, item in group.items() if getattr(item, "shape", ()) in ((5,), (7,))}
    return {name: dict(zip(keys, values)) for name, values in found.items() if values[0] > 0}


def timing(run):
    """Where the time went."""
    found = timing_rows(run)
    if not found:
        return ""
    wall = float(run.summary.get("result", {}).get("wall_s") or run.h5.attrs.get("wall_seconds", 0))
    listed = sum(t["avg_s"] for t in found.values())
    wall = max(wall, listed, 1e-9)
    rows = [(name, number(t["calls"]), "%.2f" % t["min_s"], "%.2f" % t["avg_s"], "%.2f" % t["max_s"],
             page.share_bar(t["avg_s"] / wall), optional(t.get("gflops", np.nan), "%.1f"),
             optional(t.get("gbytes_per_s", np.nan), "%.2f"), number(t["slowest_rank"])) for name, t in found.items()]
    rows.append(("other", "", "", "%.2f" % (wall - listed), "", page.share_bar(1 - listed / wall), "", "", ""))
    text = "%s on %s. Seconds are the least, mean and largest of all ranks." % (
        count_of(int(run.h5.attrs.get("ranks", 1)), "rank", "ranks"),
        count_of(int(run.summary.get("nodes", 1)), "node", "nodes"))
    if "memory_peak_bytes" in run.summary:
        text += " The largest rank used %.2f GB of memory; each rank sent and received %.2f GB in %.2f s." % (
            1e-9 * run.summary["memory_peak_bytes"], 1e-9 * run.summary.get("message_bytes_per_rank", 0),
            run.summary.get("message_seconds_per_rank", 0))
    return page.section("time", "Time", page.paragraph(text), page.table(
        ["section", "calls", "min s", "avg s", "max s", "of total", "GF/s", "GB/s", "slowest rank"], rows,
        "All ranks together; wall time %.1f s." % wall))


def checks(run):
    """Self-checks, warnings and notes."""
    found = run.summary.get("self_checks", {})
    items = ['<li><span class="%s">%s</span> %s</li>\n' % ("good" if good else "bad", "passed" if good else "FAILED",
                                                        page.esc(name)) for name, good in found.items()]
    body = page.Html('<ul class="checks">\n%s</ul>\n' % "".join(items)) if items else page.paragraph(
        "This run has no summary.json of its own, so its self-checks are not known.", "note")
    said = [line.split("  ", 1)[-1] for line in run.log if "  WARNING " in line or "  NOTE " in line]
    said = list(dict.fromkeys(said))
    body += page.code("\n".join(said[:LINES_MAX])) if said else page.paragraph(
        "The log has no warnings." if run.log else "This run left no log.txt.", "note")
    if len(said) > LINES_MAX:
        body += page.paragraph("%d more are in log.txt." % (len(said) - LINES_MAX))
    return page.section("checks", "Checks and warnings", body)


def files_of(run):
    """The first of many files, and from which row on."""
    shown = ["%s from row %s" % place for place in zip(run.files.names[:FILES_MAX], map(number, run.files.first))]
    more = len(run.files) - len(shown)
    return "; ".join(shown) + ("; and %s more (/files in run.h5 has all)" % number(more) if more > 0 else "")


def configuration(run):
    """Provenance and deck."""
    data = run.summary.get("data", {})
    shape = "%s rows \u00d7 %s columns, %s" % (number(data.get("rows", run.N)), number(data.get("columns", 0)),
                                         data.get("type", "")) if data else number(run.N) + " rows"
    return page.section("configuration", "Configuration", page.definitions([
        ("data", run.attr("data")), ("files", files_of(run)), ("shape", shape), ("data hash", run.attr("data_hash")),
        ("command", page.words(run.attr("command_line"))), ("program", "dcmpi %s (%s, %s)" % (
            run.attr("version"), run.attr("git"), run.attr("arch"))),
        ("libraries", run.attr("libraries")), ("seed", run.attr("seed")),
        ("ranks \u00d7 threads", "%s \u00d7 %s" % (run.attr("ranks"), run.attr("threads"))),
        ("started", run.attr("created"))]),
        page.paragraph("The effective deck; with it, the same program and data give the same bits:"),
        page.code(run.attr("deck").rstrip()))


def loading(run):
    """How to read the results elsewhere."""
    python = ['import h5py', 'with h5py.File("run.h5") as f:',
              '    labels = f["labels"][:]          # [N], in the order of the input']
    r = ['library(rhdf5)   # Bioconductor', 'labels <- h5read("run.h5", "labels")']
    julia = ['using HDF5', 'f = h5open("run.h5")', 'labels = read(f["labels"])']
    if run.confidence is not None:
        python.append('    confidence = f["confidence"][:]  # [N], the largest soft assignment')
        r.append('confidence <- h5read("run.h5", "confidence")')
        julia.append('confidence = read(f["confidence"])')
    for name, what in (("q", "the soft assignment"), ("q_top", "the largest of it"), ("q_top_index", "their clusters")):
        if name not in run.h5:
            continue
        python.append('    %s = f["%s"][:]  # [N, %d], %s' % (name, name, run.h5[name].shape[1], what))
        r.append('%s <- t(h5read("run.h5", "%s"))' % (name, name))
        julia.append('%s = permutedims(read(f["%s"]))' % (name, name))
    if run.embedding is not None:
        python.append('    Z = f["embedding"][:]            # [N, %d]' % run.embedding.shape[1])
        r.append('Z <- t(h5read("run.h5", "embedding"))   # R counts columns first')
        julia.append('Z = permutedims(read(f["embedding"]))   # Julia counts columns first')
    return page.section(
        "loading", "Loading the results", page.paragraph(
            "Clusters count from 0 in all languages. Row numbers in /clusters count from 0 too: add 1 in R and Julia."),
        page.Html("<h3>Python</h3>\n"), page.code("\n".join(python)), page.Html("<h3>R</h3>\n"),
        page.code("\n".join(r)), page.Html("<h3>Julia</h3>\n"), page.code("\n".join(julia)),
        page.paragraph("tools/export.py run.h5 OUT.csv, OUT.npy or OUT.h5ad writes other formats; what else is in the "
                       "file: dcmpi info %s" % os.path.join(run.name, "run.h5")))
