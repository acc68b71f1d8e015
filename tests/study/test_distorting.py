import pandas as pd
import pytest

from grmp.errors import UserError
from study.data.labels import kadid_cells
from study.stages.distorting import agreement_by_type, agreement_numbers, refuse_shared, severity_cells


def test_cells_are_means_beside_what_people_said() -> None:
    single = pd.DataFrame({"distortions": ["1", "1", "2"], "levels": ["3", "3", "5"], "similarity": [0.2, 0.4, 0.9]})
    cells = severity_cells(single)
    assert cells["similarity"].tolist() == pytest.approx([0.3, 0.9])
    people = kadid_cells().set_index(["type", "level"])["score"]
    assert cells["score"].tolist() == [people[1, 3], people[2, 5]]


def test_labels_that_are_peoples_agree_wholly() -> None:
    cells = kadid_cells().assign(similarity=lambda rows: rows["score"])
    numbers = agreement_numbers(cells)
    assert numbers["srcc_cells"] == pytest.approx(1)
    assert numbers["types_in_order"] == 25
    assert (agreement_by_type(cells)["srcc"] > 0.999).all()


def test_a_photograph_in_two_parts_is_refused() -> None:
    images = pd.DataFrame({"photograph": ["a", "b", "a"], "part": ["train", "test", "test"]})
    with pytest.raises(UserError, match="photograph a is in 2 parts"):
        refuse_shared(images)
    refuse_shared(images.head(2))
