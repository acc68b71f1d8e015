import re
from pathlib import Path

import pytest

from grmp.errors import UserError
from study.params import label_count, load

REPOSITORY = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is said about the repository's params.yaml after the one line of `key` in `section` was replaced."""

    def of(section: str, key: str, line: str) -> str:
        monkeypatch.chdir(tmp_path)
        Path("params.yaml").write_text(edited(section, key, line), encoding="utf-8")
        with pytest.raises(UserError) as error:
            load()
        return str(error.value)

    return of


def edited(section: str, key: str, line: str) -> str:
    text = REPOSITORY.read_text(encoding="utf-8")
    found = re.search(rf"(?ms)(^{section}:(?:(?!^\w).)*?^  ){key}:[^\n]*", text)
    assert found, f"{section}.{key} is not in params.yaml"
    return text[: found.end(1)] + line + text[found.end() :]


def test_the_repositorys_parameters_are_valid() -> None:
    params = load(REPOSITORY)
    assert set(params.model_dump()) >= {"compute", "photos", "distort", "backbone", "prompts", "qgr", "grid", "sweep"}


def test_the_edit_of_these_tests_changes_one_line() -> None:
    before, after = (text.splitlines() for text in (REPOSITORY.read_text(), edited("grid", "repeats", "repeats: 77")))
    assert [new for old, new in zip(before, after, strict=True) if old != new] == ["  repeats: 77"]


@pytest.mark.parametrize(
    ("section", "key", "line", "parts"),
    [
        ("compute", "seed", "seeed: 1", ["compute.seeed", "unknown key"]),
        ("compute", "seed", "seed: one", ["compute.seed", "'one'"]),
        ("compute", "seed", "seed: -1", ["compute.seed", "-1"]),
        ("compute", "threads", "threads: 1.5", ["compute.threads", "1.5"]),
        ("compute", "device", "device: tpu", ["compute.device", "'tpu'", "cuda"]),
        ("compute", "engine", "engine: slurm", ["compute.engine", "'slurm'", "ray"]),
        ("compute", "address", "address: head:6379", ["compute", "address", "engine: ray"]),
        ("photos", "pretrain", "pretrain: 0", ["photos.pretrain", "greater than 0"]),
        ("photos", "pretrain", "pretrain: 1.5", ["photos.pretrain", "less than 1"]),
        ("photos", "pretrain", "pretrain: 0.75", ["photos", "under 1"]),
        ("distort", "mixture", "mixture: [3, 2]", ["distort.mixture", "fewest first"]),
        ("backbone", "source", "source: local", ["backbone", "weights"]),
        ("distort", "mixture", "mixture: [2, 26]", ["distort.mixture.1", "25"]),
        ("image", "views", "views: [[64, 1]]", ["image", "larger than a scale"]),
        ("image", "views", "views: [[native, 1], [native, 2]]", ["image", "twice"]),
        ("align", "heads", "heads: 3", ["align", "3 heads"]),
        ("image", "crop", "crop: 100", ["image.crop", "16"]),
        ("finetune", "learning_rate", "learning_rate: fast", ["finetune.learning_rate", "'fast'"]),
        ("qgr", "when", "when: sometimes", ["qgr.when", "'sometimes'", "aligned"]),
        ("grid", "labels", "labels: [10, 0]", ["grid.labels.1", "fraction"]),
        ("grid", "labels", "labels: [1.5]", ["grid.labels.0", "1.5"]),
        ("grid", "labels", "labels: []", ["grid.labels"]),
        ("grid", "labels", "labels: [50, 50]", ["grid.labels", "twice"]),
        ("grid", "labels", "labels: [50, 80, 0.2]", ["grid.labels", "same number"]),
        ("pretrain", "mixtures", "mixtures: true", ["pretrain.mixtures", "must not see"]),
        ("distort", "train_images", "train_images: 30", ["grid.labels: labels 50", "30", "distort.train_images"]),
        ("sweep", "labels", "labels: 77", ["sweep.labels: 77", "grid.labels"]),
        ("grid", "variants", "variants: [full, ridge]", ["sweep", "without_qgr"]),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_key(
    complaint, section: str, key: str, line: str, parts: list[str]
) -> None:
    said = complaint(section, key, line)
    assert said.startswith("params.yaml: ")
    assert "\n" not in said
    assert all(part in said for part in parts), said


def test_a_missing_key_is_named(complaint) -> None:
    assert complaint("grid", "repeats", "").startswith("params.yaml: grid.repeats: ")


def test_further_mistakes_are_counted(complaint) -> None:
    assert complaint("compute", "seed", "seed: one\n  sead: 2").endswith("and 1 more")


def test_small_numbers_may_be_written_with_an_exponent(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(edited("finetune", "learning_rate", "learning_rate: 1e-4"), encoding="utf-8")
    assert load(path).finetune.learning_rate == 0.0001


def test_the_word_no_is_text_and_no_switch(complaint) -> None:
    assert "'no'" in complaint("compute", "seed", "seed: no")  # False to a reader of YAML 1.1


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"a: [1,\n b: 2", "is not YAML"), (b"", "no sections"), (b"- 1\n", "no sections"), (b"\xff\xfe\x00", "read")],
)
def test_what_is_not_a_mapping_is_said_in_one_line(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=part) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file"):
        load(tmp_path / "none.yaml")


def test_every_key_of_the_repository_has_a_comment_or_its_section_has() -> None:
    bare, section_told = [], False
    for number, line in enumerate(REPOSITORY.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r"\w+:", line):
            section_told = "#" in line
        elif re.match(r"  \w+:", line) and "#" not in line and not section_told:
            bare.append(f"{number}: {line}")
    assert bare == []


@pytest.mark.parametrize(("labels", "pool", "count"), [(50, 400, 50), (0.2, 400, 80), (0.25, 10, 2), (400, 400, 400)])
def test_labels_are_a_count_or_a_share_of_the_pool(labels: float, pool: int, count: int) -> None:
    assert label_count(labels, pool) == count


@pytest.mark.parametrize(("labels", "pool"), [(401, 400), (1, 400), (0.001, 400)])
def test_too_few_or_too_many_labels_are_an_error(labels: float, pool: int) -> None:
    with pytest.raises(UserError, match=f"pool's {pool}"):
        label_count(labels, pool)


def test_parameters_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(REPOSITORY).compute.seed = 2


@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan"])
def test_no_number_of_the_study_is_infinite(tmp_path: Path, text: str) -> None:
    right = REPOSITORY.read_text(encoding="utf-8")
    assert "learning_rate: 0.0001" in right
    path = tmp_path / "params.yaml"
    path.write_text(right.replace("learning_rate: 0.0001", f"learning_rate: {text}"), encoding="utf-8")
    with pytest.raises(UserError, match=r"finetune\.learning_rate"):
        load(path)


def test_aliases_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("compute: &a [1, 2]\nimage: *a\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"params\.yaml: holds the alias \*a"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize("key", ["target.splits", "target.folder", "compute.seed", "image.size"])
def test_a_choice_changes_only_what_has_an_effect(key: str) -> None:
    rated = load(REPOSITORY.parent / "human/params.yaml")
    with pytest.raises(ValueError, match=f"{key} is no key of"):
        rated.changed({key: "random"})
    assert rated.changed({"target.fit": "squash"})[0].target.fit == "squash"
