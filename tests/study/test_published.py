from study.reports.published import LIVEC, published


def test_rows_are_those_of_the_counts_asked_for() -> None:
    rows = published("LIVEC", [50])
    assert len(rows) == len(LIVEC)
    assert set(rows["count"]) == {50}
    assert rows.set_index("method")["srcc"]["GRepQ"] == 0.760
    assert published("LIVEC", [10]).empty


def test_every_number_has_its_source_and_protocol() -> None:
    rows = published("LIVEC", [50, 100, 200])
    assert (rows["source"].str.contains("arXiv") & (rows["protocol"] != "")).all()
    assert rows.set_index(["method", "count"]).index.is_unique
