"""The page: escaping, small pieces of HTML, the style sheet. Knows nothing of runs.

Functions that take text escape it; arguments named `body`, `cells` of class Html and return values are HTML already.
"""
import html

from report_charts import number


class Html(str):
    """Text that is HTML already."""


def esc(value):
    """Text for any place of a page, attributes included."""
    return value if isinstance(value, Html) else Html(html.escape(str(value), quote=True))


def paragraph(text, kind=""):
    """A paragraph; kind: a CSS class."""
    return Html('<p%s>%s</p>\n' % (' class="%s"' % kind if kind else "", esc(text)))


def section(anchor, title, *body):
    """A part of the page with its heading."""
    return Html('<section id="%s">\n<h2>%s</h2>\n%s</section>\n' % (anchor, esc(title), "".join(body)))


def figure(picture, caption, shape=""):
    """A picture with its caption. shape: "wide" outside a grid, "tall" beside two others of a grid."""
    return Html('<figure%s>\n%s\n<figcaption>%s</figcaption>\n</figure>\n' %
                (' class="%s"' % shape if shape else "", picture, esc(caption)))


def grid(*body):
    """Figures side by side where the window is wide enough."""
    return Html('<div class="grid">\n%s</div>\n' % "".join(body))


def image(uri, alt, width, height):
    """A PNG of small images."""
    return Html('<img src="%s" alt="%s" width="%d" height="%d">' % (uri, esc(alt), width, height))


def code(text):
    """A block of code or a log line."""
    return Html("<pre><code>%s</code></pre>\n" % esc(text))


def table(head, rows, caption, text_columns=1):
    """A table; the first text_columns columns are names, the others numbers."""
    def cell(tag, i, value):
        attrs = ' scope="col"' if tag == "th" else ""
        return "<%s%s%s>%s</%s>" % (tag, attrs, "" if i < text_columns else ' class="n"', esc(value), tag)

    def row(tag, values):
        return "<tr>%s</tr>\n" % "".join(cell(tag, i, v) for i, v in enumerate(values))
    return Html('<div class="scroll" tabindex="0"><table>\n<caption>%s</caption>\n<thead>%s</thead>\n<tbody>\n%s</tbody>\n</table>'
                '</div>\n' % (esc(caption), row("th", head), "".join(row("td", r) for r in rows)))


def words(text):
    """Text that breaks between words, and within a word only if it is longer than the line: options keep their dashes."""
    return Html(" ".join('<span class="word">%s</span>' % esc(word) for word in str(text).split()))


def definitions(pairs):
    """Names and values below each other."""
    return Html("<dl>\n%s</dl>\n" % "".join(
        "<dt>%s</dt><dd>%s</dd>\n" % (esc(name), esc(value)) for name, value in pairs if value != ""))


def tiles(pairs):
    """The few numbers that matter most."""
    return Html('<div class="tiles">\n%s</div>\n' % "".join(
        '<div><b>%s</b><span>%s</span></div>\n' % (esc(value), esc(name)) for name, value in pairs))


def share_bar(share):
    """A number of per cent with a bar behind it."""
    return Html('<span class="bar" style="--s:%.1f%%">%.1f&thinsp;%%</span>' % (100 * share, 100 * share))


def optional(value, form="%.3f"):
    """A number, or a dash if it is not finite."""
    return form % value if value == value and abs(value) != float("inf") else "\u2013"


def page(title, contents, body, head=""):
    """The whole document. The policy forbids scripts and any fetch, whatever names the data contain."""
    links = " ".join('<a href="#%s">%s</a>' % (anchor, esc(name)) for anchor, name in contents)
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            'style-src \'unsafe-inline\'">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            '%s<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n%s' % (head, esc(title), STYLE, body)
            ).replace("<!--contents-->", '<nav aria-label="Contents">%s</nav>' % links, 1) + "</body>\n</html>\n"


__all__ = ["Html", "code", "definitions", "esc", "figure", "grid", "image", "number", "optional", "page", "paragraph",
           "section", "share_bar", "table", "tiles", "words"]

STYLE = """
:root { color-scheme: light dark; --font: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
  sans-serif; --mono: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --page: #f7f7f5; --panel: #ffffff; --ink: #1c1f23; --muted: #5d646d; --rule: #dddfe2; --accent: #0061a0;
  --fill: #d5e6f3; --good: #00704f; --bad: #a8430b; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #131518; --panel: #1b1e22; --ink: #e6e7e9;
  --muted: #a2a8b0; --rule: #34393f; --accent: #6db6e8; --fill: #1f3d54; --good: #3cc59a; --bad: #f0935c; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem clamp(1rem, 4vw, 2.5rem) 4rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 var(--font); font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 0 0 .8rem; font-size: 1.25rem; font-weight: 650; }
h3 { margin: 0; font-size: 1rem; font-weight: 650; }
p { max-width: 46rem; margin: .5rem 0 .9rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
section { margin-top: 2.6rem; padding-top: 1.3rem; border-top: 1px solid var(--rule); }
.kicker { margin: 0 0 .3rem; color: var(--muted); font-size: .9rem; }
.lead { font-size: 1.1rem; }
.note { color: var(--muted); font-size: .93rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1.2rem 0 0; font-size: .95rem; }
nav a { text-decoration: none; } nav a:hover, nav a:focus { text-decoration: underline; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 1px; margin: 1.2rem 0;
  background: var(--rule); border: 1px solid var(--rule); border-radius: 6px; overflow: hidden; }
.tiles div { background: var(--panel); padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.35rem; font-weight: 600; line-height: 1.25; }
.tiles span { color: var(--muted); font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
figure.tall { grid-row: span 2; }
figure { margin: 0; padding: .9rem 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px;
  break-inside: avoid; min-width: 0; }
figure.wide { max-width: 46rem; margin: 1rem 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figcaption { margin-top: .6rem; color: var(--muted); font-size: .88rem; line-height: 1.45; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
.card { padding: .8rem .9rem .9rem; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px;
  break-inside: avoid; min-width: 0; }
.card header { display: flex; gap: .8rem; align-items: center; margin-bottom: .4rem; }
.card header img { width: 3.2rem; height: auto; flex: none; border-radius: 3px; }
.card header p { margin: 0; }
.card .label { margin: .5rem 0 .15rem; color: var(--muted); font-size: .8rem; }
.card img { display: block; width: 100%; height: auto; image-rendering: pixelated; margin-top: 2px; }
.card .none { color: var(--muted); }
.terms { list-style: none; margin: .3rem 0 .6rem; padding: 0; columns: 2; column-gap: .9rem; font-size: .93rem; }
.terms li { break-inside: avoid; margin: 0 0 2px; padding: 0 .35rem; overflow-wrap: anywhere; min-height: 1.5em;
  background: linear-gradient(to right, var(--fill) var(--s), transparent 0) no-repeat left bottom / 100% 3px; }
.documents { list-style: none; margin: 0; padding: 0; font-size: .88rem; line-height: 1.45; }
.documents li { margin: 0 0 .35rem; overflow-wrap: anywhere; }
.documents b { font-weight: 600; }
.documents q { color: var(--muted); quotes: none; }
.scroll { overflow: auto; max-height: 34rem; margin: 1rem 0; }
.grid > figure:only-child { max-width: 36rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; color: var(--muted); font-size: .88rem; padding-bottom: .4rem; }
th, td { padding: .32rem .7rem; text-align: left; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); border-bottom-color: var(--muted); }
td.n, th.n { text-align: right; }
tbody tr:hover { background: var(--panel); }
.bar { display: inline-block; min-width: 9rem; padding: 0 .35rem;
  background: linear-gradient(to right, var(--fill) var(--s), transparent 0) no-repeat left / calc(100% - 4rem) 100%; }
.word { display: inline-block; max-width: 100%; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.2rem; margin: 1rem 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
pre { margin: .6rem 0 1rem; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--rule);
  border-radius: 6px; overflow-x: auto; font: .86rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { font: inherit; }
ul.checks { list-style: none; margin: 1rem 0; padding: 0; }
ul.checks li { margin: .2rem 0; overflow-wrap: anywhere; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted);
  font-size: .88rem; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  th, td { padding: .3rem .45rem; } figure { padding: .7rem .6rem; } }
@media print { :root { --page: #fff; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  section { margin-top: 1.4rem; } h2 { break-after: avoid; } .scroll { overflow: visible; max-height: none; }
  .bar, .terms li, .tiles div, figure { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .grid { grid-template-columns: 1fr 1fr; } .cards { grid-template-columns: 1fr 1fr; } }
"""
