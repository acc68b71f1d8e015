import pytest
import torch

from grmp import features
from grmp.crops import to_float
from grmp.model import PromptedCLIP
from grmp.runtime import Runtime
from grmp.settings import Input
from study.stages.pretraining import _predict

SIGHT = Input(views=((48, 1),), crop=48)


def test_predictions_do_not_depend_on_the_batch_and_leave_dropout_off(
    model: PromptedCLIP, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = torch.randint(0, 256, (5, 1, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = _predict(model.train(), crops, SIGHT, runtime, "crops")
    assert whole.shape == (5,)
    monkeypatch.setattr(features, "BATCH", 2)
    torch.testing.assert_close(_predict(model, crops, SIGHT, runtime, "crops"), whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.eval()(to_float(crops[:, 0])), whole, rtol=1e-5, atol=1e-6)
