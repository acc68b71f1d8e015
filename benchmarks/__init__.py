"""How fast the library is: a plain reference step against ours, interleaved in one run. See README.md."""
