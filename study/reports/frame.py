"""HTML and CSS of the pages, kept as files in `templates/`; `$name` in them is what a page fills in."""

from importlib.resources import files
from string import Template

from pygments.formatters import HtmlFormatter


def read_template(name: str) -> str:
    """The text of a file in `templates/`, such as `report.css`."""
    return (files("study.reports") / "templates" / name).read_text(encoding="utf-8")


def filled(name: str, **values: str) -> str:
    """A template with its `$names` replaced by HTML.

    Raises:
        KeyError: a name of the template has no value.
    """
    return Template(read_template(name)).substitute(values)


def whole_page(title: str, body: str, *styles: str) -> str:
    """An HTML page that fetches nothing: `report.css` and the further `styles` stand in it.

    Args:
        title: HTML, of the browser's tab.
        body: HTML.
        styles: more CSS.
    """
    return filled("page.html", title=title, style="\n".join([read_template("report.css"), *styles]), body=body)


def code_colours() -> str:
    """The CSS of highlighted code, on light and on dark paper."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("friendly", "github-dark"))
    plain = ".highlight, .highlight pre { background: var(--panel); }"
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{plain}"
