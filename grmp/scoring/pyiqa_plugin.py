"""The metric `grmp` of pyiqa, whose plugins find `register` by its entry point; nothing else here needs pyiqa."""


def register() -> None:
    """Let `pyiqa.create_metric("grmp", path=...)` make the scorer of `grmp.load(path)`; may be called again.

    pyiqa 0.1.16 looks for plugins when it first builds a network, and refuses names that it does not know by then.
    """
    from pyiqa.default_model_configs import DEFAULT_CONFIGS
    from pyiqa.utils.registry import ARCH_REGISTRY

    ARCH_REGISTRY.register_lazy("GRMP", "grmp.scoring.scorer_file:load", override=True)
    options = {"type": "GRMP", "device": "cpu"}  # pyiqa moves it to its own device
    DEFAULT_CONFIGS["grmp"] = {"metric_opts": options, "metric_mode": "NR", "score_range": "0, 1"}
