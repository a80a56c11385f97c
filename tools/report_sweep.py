"""The part of a report that compares numbers of clusters: table and curves of /sweep."""
import h5py
import numpy as np

import report_charts as charts
import report_html as page
from report_data import as_text, is_dataset
from report_html import number, optional

# Columns of /sweep: name, heading of the table, form.
COLUMNS = (("inertia", "inertia", "%.6g"), ("silhouette", "silhouette", "%.4f"), ("stability", "stability", "%.3f"),
           ("stability_deviation", "its deviation", "%.3f"), ("bic", "BIC", "%.6g"),
           ("calinski_harabasz", "Calinski-Harabasz", "%.5g"), ("empty", "empty clusters", "%.0f"),
           ("acc", "accuracy", "%.3f"), ("nmi", "NMI", "%.3f"), ("ari", "adjusted Rand", "%.3f"),
           ("purity", "purity", "%.3f"), ("f_measure", "F-measure", "%.3f"), ("f_pairs", "F of pairs", "%.3f"))


def table_of(run):
    """({column: values}, attributes) of the sweep, or None."""
    group = run.h5.get("sweep")
    if not isinstance(group, h5py.Group) or not is_dataset(group, "clusters", 1):
        return None
    clusters = group["clusters"][:]
    found = {name: group[name][:] for name, _, _ in COLUMNS if is_dataset(group, name, 1)}
    columns = {name: values for name, values in found.items() if len(values) == len(clusters)}
    about = {as_text(name): value for name, value in group.attrs.items()}
    failure = group.get("failure")
    about["failure"] = [as_text(t) for t in failure[:]] if isinstance(failure, h5py.Dataset) else []
    return {"clusters": clusters, **columns}, about


def curve(name, columns, chosen, suggested, ylabel):
    """A chart of some columns over the number of clusters; chosen: (column, label, colour)."""
    clusters = columns["clusters"]
    axes = charts.new_axes()
    said = []
    for column, label, colour in chosen:
        axes.plot(clusters, columns[column], color=colour, label=label, marker="o", markersize=3.5, clip_on=False)
        at = np.nanargmin(columns[column]) if column in ("bic", "inertia") else np.nanargmax(columns[column])
        said.append("%s is %s at %d" % (label, "lowest" if column in ("bic", "inertia") else "highest", clusters[at]))
        if column == "stability" and "stability_deviation" in columns:
            low, high = (columns[column] + sign * columns["stability_deviation"] for sign in (-1, 1))
            axes.fill_between(clusters, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axvline(suggested, color=charts.MUTED, linestyle=(0, (4, 3)), linewidth=1, label="suggested")
    axes.set_xlabel("clusters")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(charts.MaxNLocator(8, integer=True))
    charts.legend(axes, len(chosen) + 1)
    return charts.svg(axes, "Line chart over the number of clusters: %s; suggested: %d." % ("; ".join(said), suggested),
                      name)


def pictures(columns, suggested):
    """The charts that the columns allow."""
    wanted = (("sweep-shape", "", (("silhouette", "silhouette", charts.BLUE), ("stability", "stability", charts.ORANGE)),
               "Silhouette, and stability with its standard deviation over the pairs of subsamples: the higher, the better."),
              ("sweep-bic", "BIC", (("bic", "BIC", charts.GREEN),),
               "Bayesian information criterion: the lower, the better."),
              ("sweep-inertia", "inertia", (("inertia", "inertia", charts.PINK),),
               "Inertia falls with each further cluster; a bend may show where further clusters gain little."),
              ("sweep-scores", "", (("nmi", "NMI", charts.BLUE), ("ari", "adjusted Rand", charts.ORANGE),
                                    ("acc", "accuracy", charts.GREEN)),
               "Scores against the labels, which had no part in the suggestion."))
    out = []
    for name, ylabel, chosen, caption in wanted:
        there = [entry for entry in chosen if entry[0] in columns]
        if there:
            out.append(page.figure(curve(name, columns, there, suggested, ylabel), caption))
    return page.grid(*out)


def sweep(run):
    """The choice of the number of clusters; "" for a run that made none."""
    found = table_of(run)
    if found is None:
        return ""
    columns, about = found
    clusters = columns["clusters"]
    suggested = int(about.get("suggested", 0))
    text = "Suggested: %d clusters; %s." % (suggested, as_text(about.get("reason", "")))
    sample = int(about.get("sample", 0))
    how = ("Silhouettes are those of %s. Stability is the mean adjusted Rand index, over all pairs of %d subsamples of %s "
           "rows, of the labels of the rows that both have." % (
               "all rows" if sample == run.N else "a random sample of %s rows" % number(sample),
               int(about.get("subsamples", 0)), number(int(about.get("subsample", 0)))))
    shown = [entry for entry in COLUMNS if entry[0] in columns]
    rows = [["%d%s" % (k, " (suggested)" if k == suggested else "")] +
            [optional(float(columns[name][i]), form) for name, _, form in shown] for i, k in enumerate(clusters)]
    failed = [page.paragraph("%d clusters failed: %s." % (k, why)) for k, why in zip(clusters, about["failure"]) if why]
    return page.section("sweep", "Number of clusters", page.paragraph(text), page.paragraph(how), *failed,
                        pictures(columns, suggested) if len(clusters) else "",
                        page.table(["clusters"] + [head for _, head, _ in shown], rows,
                                   "One row per number of clusters."))
