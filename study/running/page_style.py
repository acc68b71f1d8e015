"""The frame and the style of a report page: nothing is fetched, and nothing moves but the code that is asked for."""

from pygments.formatters import HtmlFormatter

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<input type="checkbox" id="show-code">
<label for="show-code" class="button"><span class="show">Show code</span><span class="hide">Hide code</span></label>
{contents}
<main>
{body}
</main>
</body>
</html>
"""

STYLE = """:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d8dee4; --panel: #f6f8fa; --link: #0a58ca;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e2e6ea; --faint: #9aa4ae; --line: #343b43; --panel: #1d2126; --link: #79b8ff; }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.6;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 5rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; margin: 2.2rem 0 .7rem; }
h1 { font-size: 1.8rem; margin-top: .5rem; padding-right: 6rem; }
h2 { font-size: 1.35rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; }
a { color: var(--link); }
.anchor-link { margin-left: .4rem; text-decoration: none; opacity: 0; }
:hover > .anchor-link, .anchor-link:focus { opacity: .6; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
p code, li code, td code { background: var(--panel); padding: .1em .3em; border-radius: .25rem; }
pre { margin: .6rem 0; padding: .7rem .9rem; overflow-x: auto; background: var(--panel); border-radius: .4rem;
  line-height: 1.45; }
blockquote { margin: 1rem 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--faint); }
table { display: block; width: max-content; max-width: 100%; overflow-x: auto; border-collapse: collapse;
  border: 0; margin: .8rem 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border: 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.dataframe td, .dataframe thead th { text-align: right; }
thead th { border-bottom: 2px solid var(--line); }
img, main svg { max-width: 100%; }
img { height: auto; }
.output_png, .output_jpeg { margin: .8rem 0; overflow-x: auto; }
.output_png img, .output_jpeg img { max-width: max(100%, 34rem); }
@media (prefers-color-scheme: dark) {
  .output_png img, .output_jpeg img { background: #fff; padding: .4rem; border-radius: .4rem; }
}
.output_stderr pre { color: var(--faint); }
.prompt { display: none; }
.input pre { border-left: 3px solid var(--line); border-radius: 0; }
.formula { display: block; margin: 1rem 0; text-align: center; overflow-x: auto; overflow-y: hidden; }
.formula svg { font-size: 1.15em; max-width: none; }
#show-code { position: fixed; opacity: 0; }
#show-code:not(:checked) ~ main .input, #show-code:not(:checked) ~ label .hide, #show-code:checked ~ label .show {
  display: none; }
.button { position: fixed; top: .8rem; right: .8rem; z-index: 1; padding: .25rem .7rem; cursor: pointer;
  font-size: .85rem; color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: 1rem; }
#show-code:focus-visible ~ .button { outline: 2px solid var(--link); }
.contents { max-width: 54rem; margin: 3.4rem auto 0; padding: 0 1rem; font-size: .9rem; }
.contents summary { color: var(--faint); cursor: pointer; }
.contents ul { list-style: none; margin: .4rem 0; padding: 0; }
.contents li { margin: .25rem 0; }
.contents .h3 { padding-left: 1rem; }
.contents a { color: inherit; text-decoration: none; }
.contents a:hover { text-decoration: underline; }
@media (min-width: 84rem) {
  .contents { position: fixed; top: 1.5rem; left: 1rem; width: 13rem; margin: 0; max-height: 90vh; overflow-y: auto; }
}
@media (max-width: 40rem) { h1 { padding-right: 0; } }
@media print { .button, .contents { display: none; } }
"""


def stylesheet() -> str:
    """The page's CSS, with the colours of code on light and on dark paper."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("friendly", "github-dark"))
    plain = ".highlight, .highlight pre { background: var(--panel); }"
    return f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{plain}"
