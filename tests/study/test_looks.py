from study.reports.looks import title, variants_in


def test_a_variant_has_a_title() -> None:
    assert title("without_mpp") == "without MPP"


def test_variants_keep_the_order_of_the_study() -> None:
    assert variants_in(["ridge", "full", "ridge"]) == ["full", "ridge"]
