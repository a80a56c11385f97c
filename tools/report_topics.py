"""The part of a report for readers of texts or genes: each cluster's terms, and its nearest and furthest rows."""
import h5py
import numpy as np

import report_html as page
from report_data import as_text
from report_html import number
from report_math import largest, majority
from report_topic_lists import TopicLists

CARDS_MAX, BUDGET_CHARACTERS = 200, 1_500_000  # of all cards, so that the page stays small
TERM_CHARACTERS, ID_CHARACTERS, TEXT_CHARACTERS = 60, 80, 200
SHOWN = {"nearest": 5, "furthest": 3}
TITLES = {"nearest": "Nearest to the centre", "furthest": "Furthest from it"}


def shortened(text, most):
    """Text on one line, cut after `most` characters; of a long one only the beginning is looked at."""
    text = " ".join(as_text(text[:20 * most]).split())
    return text if len(text) <= most else text[:most].rstrip() + "\u2026"


def isolated(text, empty):
    """Text in a direction of its own, so that it does not turn what stands around it."""
    return page.Html("<bdi>%s</bdi>" % page.esc(text)) if text else page.Html('<i class="none">%s</i>' % page.esc(empty))


def term_list(lists, k):
    """The terms of a cluster; a bar below each shows its weight."""
    used = lists.columns[k] >= 0
    if not used.any():
        return page.Html('<p class="note">No terms.</p>\n')
    weights = lists.weights[k][used]
    share = weights / max(weights.max(), 1e-300)
    names = [shortened(name, TERM_CHARACTERS) for name in lists.names[k][used]]
    return page.Html('<ol class="terms">\n%s</ol>\n' % "".join(
        '<li style="--s:%.0f%%">%s</li>\n' % (100 * s, isolated(name, "(no name)")) for name, s in zip(names, share)))


def name_of(lists, kind, k, i):
    """Id of a row of a list, or its number."""
    name = "" if lists.ids[kind] is None else shortened(lists.ids[kind][k, i], ID_CHARACTERS)
    return isolated(name or "row %d" % lists.rows[kind][k, i], "")


def document(lists, texts, kind, k, i):
    """A row of a list with the beginning of its text."""
    row = int(lists.rows[kind][k, i])
    text = texts[row] if row < texts.shape[0] else ""
    if text is None:
        return '<li><b>%s</b></li>\n' % name_of(lists, kind, k, i)
    text = shortened(text, TEXT_CHARACTERS)
    return '<li><b>%s</b> <q>%s</q></li>\n' % (name_of(lists, kind, k, i), isolated(text, "(empty)"))


def document_lists(lists, texts, k):
    """The nearest and the furthest rows of a cluster."""
    out = ""
    for kind, most in SHOWN.items():
        rows = lists.rows[kind]
        used = 0 if rows is None else int((rows[k][:most] >= 0).sum())
        if not used:
            continue
        out += '<p class="label">%s</p>\n' % TITLES[kind]
        if texts is None:
            out += '<p class="documents">%s</p>\n' % ", ".join(name_of(lists, kind, k, i) for i in range(used))
        else:
            out += '<ul class="documents">\n%s</ul>\n' % "".join(document(lists, texts, kind, k, i) for i in range(used))
    return page.Html(out)


def heading(run, lists, k, classes):
    """Number, size, largest class and coherence of a cluster."""
    text = number(run.size[k]) + (" row" if run.size[k] == 1 else " rows")
    if classes is not None and run.size[k]:
        best, purity = classes
        text += ", %.0f %% \u201c%s\u201d" % (100 * purity[k], shortened(run.class_names()[best[k]], 30))
    if np.isfinite(lists.coherence[k]):
        text += ", coherence %.2f" % lists.coherence[k]
    return page.Html('<header><div><h3>Cluster %d</h3><p class="note">%s</p></div></header>\n' % (k, page.esc(text)))


def cards(run, lists):
    """Cards of the clusters, the largest first if there are many, as many as fit."""
    classes = None if run.confusion is None else majority(run.confusion)
    shown = range(run.K) if run.K <= CARDS_MAX else largest(run.size, CARDS_MAX)
    texts = run.texts()
    out, left = [], BUDGET_CHARACTERS
    for k in shown:
        if left <= 0:
            break
        body = heading(run, lists, k, classes)
        body += term_list(lists, k) if lists.columns is not None else ""
        body += document_lists(lists, texts, k)
        out.append('<div class="card topic">%s</div>\n' % body)
        left -= len(body)
    text = page.Html('<div class="cards">\n%s</div>\n' % "".join(out))
    if len(out) < run.K:
        text += page.paragraph("%d of %d clusters are shown, so that this page stays small; tools/export.py --topics "
                               "writes all of them." % (len(out), run.K), "note")
    return text


def topics(run):
    """The section; "" if the run has neither terms nor documents."""
    if not isinstance(run.h5.get("topics"), h5py.Group):
        return ""
    lists = TopicLists(run.h5, run.K)
    if not lists.there():
        return ""
    text = ""
    if lists.columns is not None:
        text = ("Terms: the columns with the largest class-based TF-IDF, the first being the one that sets its cluster apart "
                "most; bars show the weight. Coherence: how often the first ten terms occur in the same rows (NPMI: 1 always "
                "together, 0 as by chance, \u22121 never)")
        mean = float(run.h5["topics"].attrs.get("mean_coherence", np.nan))
        text += "; its mean over the clusters is %.3f. " % mean if np.isfinite(mean) else ". "
    if lists.documents:
        text += "Rows are nearest to the centre of their cluster, or furthest from it, by their distance in %s." % (
            "the embedding" if run.embedding is not None else "what was clustered")
    return page.section("topics", "Topics", page.paragraph(text), cards(run, lists))
