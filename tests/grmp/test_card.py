from grmp.scoring.card import Card, parameters
from study.params import Params


def test_the_card_tells_what_made_the_numbers(card: Card) -> None:
    text = card.text()
    assert "9; 0 is 1, 1 is 5 (as given)" in text
    assert "SRCC 0.812, PLCC 0.750, RMSE 0.100 on 6 labels; by a model that was trained on the other 24" in text
    assert "backbone    tiny" in text
    assert "computed    cpu, fp32" in text
    assert "qgr: when: aligned, strength: 1.0, scope: tensor" in text


def test_without_held_out_labels_nothing_is_claimed(card: Card) -> None:
    text = card.model_copy(update={"held_out": None}).text()
    assert "SRCC" not in text
    assert "its agreement with new labels is unknown" in text


def test_a_card_comes_back_from_json(card: Card) -> None:
    assert Card.model_validate_json(card.model_dump_json()) == card


def test_the_parameters_are_those_that_a_score_depends_on(settings: Params) -> None:
    told = parameters(settings)
    assert told["pretrain"] == settings.model_dump(mode="json")["pretrain"]
    assert {"photos", "grid", "sweep"}.isdisjoint(told)


def test_a_card_of_anybodys_is_printed_without_what_a_terminal_would_obey(card: Card) -> None:
    hostile = card.model_copy(update={"backbone": "a\x1b[2Jb\nheld out    SRCC 1.000"})
    lines = hostile.text().splitlines()
    assert len(lines) == len(card.text().splitlines())
    assert all(line.isprintable() for line in lines)
