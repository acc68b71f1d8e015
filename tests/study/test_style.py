import matplotlib.pyplot as plt

from study.reports.style import set_style


def test_set_style_gives_white_figures() -> None:
    set_style()
    assert plt.rcParams["figure.facecolor"] == "white"
    assert plt.rcParams["figure.dpi"] == 110
