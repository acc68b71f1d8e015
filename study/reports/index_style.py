"""The frame and the style of the page that links the reports; colours and type are those of the reports themselves."""

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>grmp: is it the prompts, or the gradients?</title>
<style>
{style}
</style>
</head>
<body>
<main class="index">
<header>
<h1>Is it the prompts, or the gradients?</h1>
<p>What meta-learned prompts (MPP) and projected gradients (QGR) each add when CLIP learns to judge photographs from a
few labels: a reproducible study of GRMP-IQA. The numbers are those of this run, on its own data; each report says
which backbone, parameters and device made them.</p>
</header>
<div class="cards">
{cards}
</div>
</main>
</body>
</html>
"""

CARD = """<article class="card">
<a class="picture" href="{page}" tabindex="-1" aria-hidden="true">{picture}</a>
<div class="words">
<h2><a href="{page}">{title}</a></h2>
<p>{about}</p>
<dl>{numbers}</dl>
<p class="backbone">{backbone}</p>
</div>
</article>"""

STYLE = """main.index { max-width: 68rem; padding-top: 2.5rem; }
.index h1 { padding-right: 0; }
.index header p { max-width: 44rem; color: var(--faint); }
.cards { display: grid; gap: 1.2rem; margin-top: 2rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
.card { display: flex; flex-direction: column; overflow: hidden; background: var(--panel);
  border: 1px solid var(--line); border-radius: .6rem; }
.card:first-child, .card:last-child:nth-child(even) { grid-column: 1 / -1; flex-direction: row; }
.card:first-child > *, .card:last-child:nth-child(even) > * { flex: 1 1 50%; }
.picture { display: flex; align-items: center; padding: .5rem; background: #fff; }
.picture img { width: 100%; height: auto; }
.words { padding: 1rem 1.2rem; min-width: 0; }
.index h2 { margin: 0 0 .3rem; padding: 0; border: 0; font-size: 1.15rem; }
.index h2 a { color: inherit; text-decoration: none; }
.card:hover h2 a, .index h2 a:focus-visible { text-decoration: underline; }
.words p { margin: .3rem 0 .8rem; }
.words dl { display: grid; grid-template-columns: 1fr auto; gap: .15rem 1rem; margin: 0; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
.words dt { color: var(--faint); }
.words dd { margin: 0; text-align: right; font-weight: 600; }
.words .backbone { margin: .8rem 0 0; font-size: .8rem; color: var(--faint); }
.words .backbone:empty { display: none; }
@media (max-width: 46rem) {
  .cards { grid-template-columns: minmax(0, 1fr); }
  .card:first-child, .card:last-child:nth-child(even) { flex-direction: column; }
}
"""
