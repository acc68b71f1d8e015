import pandas as pd

from study.reports.markdown import copy_table


def test_copy_table_is_markdown() -> None:
    frame = pd.DataFrame({"variant": ["a|b"], "srcc": [0.12345], "n": [5]})
    assert copy_table(frame) == "| variant | srcc | n |\n| :--- | ---: | ---: |\n| a\\|b | 0.123 | 5 |"
