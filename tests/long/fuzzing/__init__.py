"""What `python -m trials.fuzz` feeds to grmp, and how each input is watched."""
