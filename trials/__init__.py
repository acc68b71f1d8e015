"""Long trials, each one command of the Makefile."""
