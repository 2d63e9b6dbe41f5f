"""First weights: their laws, that they are a function of the seed alone, and that they stay what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchvision
from scipy import special, stats
from torch import nn

from lnbench import catalog
from lnbench.randomness import Stream, u32
from lnbench.training import initial as laws
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import INITIALISATIONS, initialise
from tests.training.plain_loop import draw_weights, network

CPU = torch.device("cpu")
MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


def drawn(name: str, seed: int = 0, initial: str = "", size: tuple[int, int, int] | None = None) -> nn.Module:
    entry = catalog.find("model", name)
    model = entry.load()(name, size or (CIFAR if "res" in name or "dense" in name else MNIST), 10)
    FlatParameters(model, CPU)
    initialise(model, initial or entry.initial, seed)
    return model


def layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def assert_uniform(values: torch.Tensor, limit: float) -> None:
    n = values.numel()
    assert values.abs().max() <= limit * (1 + 1e-6)
    assert values.abs().max() > limit * (1 - 20 / n)
    assert stats.kstest((values.double() / limit).flatten()[:20_000].numpy(), "uniform", (-1, 2)).pvalue > 1e-4


def assert_normal(values: torch.Tensor, deviation: float) -> None:
    n = values.numel()
    assert values.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(2 * n))
    assert abs(values.mean().item()) < 5 * deviation / math.sqrt(n)
    assert stats.kstest((values.double() / deviation).flatten()[:20_000].numpy(), "norm").pvalue > 1e-4


def test_each_model_has_the_initialisation_of_its_source() -> None:
    initial = {name: catalog.find("model", name).initial for name in catalog.names("model")}
    assert set(initial.values()) <= set(INITIALISATIONS)
    keras = {"perceptron", "mlp1", "mlp1_w32", "mlp2", "mlp4", "convnet2", "convnet4", "convnet6", "resnet101"}
    assert {name for name, law in initial.items() if law == "glorot_uniform"} == keras
    assert initial["resnet32"] == "kaiming_normal"
    assert initial["resnet32_aum"] == initial["resnet18_imagenet"] == "kaiming_normal_fan_out"
    assert initial["resnet18"] == initial["lenet"] == "torch_default"
    assert initial["densenet_bc100"] == "kaiming_normal_fan_out_zero_bias"
    vgg = {"vgg16_bn", "vgg11_bn_w512", "vgg_small"}
    assert {name for name, law in initial.items() if law == "kaiming_normal_fan_out_small_dense"} == vgg


# ---- laws


@pytest.mark.parametrize("name", ["perceptron", "mlp1", "convnet2", "convnet4"])
def test_glorot_uniform(name: str) -> None:
    for layer in layers(drawn(name)):
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
        assert_uniform(layer.weight.detach(), math.sqrt(6 / (fan_in + fan_out)))
        assert layer.bias is not None and not layer.bias.any()


def test_kaiming_normal_draws_convolutions_and_dense_layers_by_fan_in() -> None:
    for layer in layers(drawn("resnet20", 1)):
        assert_normal(layer.weight.detach(), math.sqrt(2 / nn.init._calculate_fan_in_and_fan_out(layer.weight)[0]))
        if layer.bias is not None:
            assert 0 < layer.bias.abs().max() <= 1 / math.sqrt(layer.in_features)


def test_kaiming_normal_fan_out_draws_convolutions_alone() -> None:
    for layer in layers(drawn("resnet20_aum", 2)):
        if isinstance(layer, nn.Conv2d):
            assert_normal(layer.weight.detach(), math.sqrt(2 / (9 * layer.out_channels)))
        else:
            assert_uniform(layer.weight.detach(), 1 / math.sqrt(64))
            assert 0 < layer.bias.abs().max() <= 1 / math.sqrt(64)


def test_densenets_dense_layer_has_zero_biases() -> None:
    *convolutions, dense = layers(drawn("densenet_bc40", 3))
    for layer in convolutions:
        assert_normal(layer.weight.detach(), math.sqrt(2 / (layer.kernel_size[0] ** 2 * layer.out_channels)))
    assert_uniform(dense.weight.detach(), 1 / math.sqrt(dense.in_features))
    assert not dense.bias.any()


def test_vggs_dense_layers_are_small_and_have_zero_biases() -> None:
    for layer in layers(drawn("vgg11_bn_w512", 4, size=(1, 32, 32))):
        fan_out = 9 * layer.out_channels if isinstance(layer, nn.Conv2d) else 0
        assert_normal(layer.weight.detach(), math.sqrt(2 / fan_out) if fan_out else 0.01)
        assert layer.bias is not None and not layer.bias.any()


def test_vggs_first_weights_have_torchvisions_laws() -> None:
    torch.manual_seed(0)
    ours, theirs = layers(drawn("vgg11_bn_w512", size=CIFAR)), layers(torchvision.models.vgg11_bn(num_classes=10))
    for mine, other in zip(ours[:9], theirs[:9], strict=True):  # eight convolutions, and a dense layer of another width
        assert mine.weight.std().item() == pytest.approx(other.weight.std().item(), rel=0.1)
        assert other.bias is not None and not other.bias.any()


@pytest.mark.parametrize("name", ["lenet", "resnet18_w16"])
def test_torch_default_has_the_limits_of_torchs_own_draws(name: str) -> None:
    for layer in layers(drawn(name)):
        limit = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(layer.weight)[0])
        assert_uniform(layer.weight.detach(), limit)
        if layer.bias is not None and layer.bias.numel() > 100:
            assert_uniform(layer.bias.detach(), limit)
        torch.manual_seed(0)
        layer.reset_parameters()
        assert layer.weight.detach().abs().max() == pytest.approx(limit, rel=0.05)


@pytest.mark.parametrize("initial", INITIALISATIONS)
def test_normalisations_start_as_the_identity_with_fresh_statistics(initial: str) -> None:
    model = catalog.find("model", "resnet8_w8").load()("resnet8_w8", CIFAR, 10)
    model(torch.rand(8, *CIFAR))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7.0)
    initialise(model, initial, 0)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 7
    for norm in norms:
        assert (norm.weight == 1).all() and not norm.bias.any()
        assert not norm.running_mean.any() and (norm.running_var == 1).all() and norm.num_batches_tracked == 0
    assert not any((parameter == 7).any() for parameter in model.parameters())


# ---- functions of (seed, tensor, place)


@pytest.mark.parametrize("initial", INITIALISATIONS)
def test_first_weights_are_a_function_of_the_seed_alone(initial: str) -> None:
    torch.manual_seed(1)
    one = drawn("lenet", 3, initial)
    torch.manual_seed(2)
    two, other = drawn("lenet", 3, initial), drawn("lenet", 4, initial)
    for a, b, c in zip(one.parameters(), two.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not a.any() or (a == c).float().mean() < 0.01


def test_a_tensors_number_is_its_place_in_the_network_and_a_weights_its_place_in_the_tensor() -> None:
    """Normal draws from the definition: the inverse of the distribution function at (u32 + ½) / 2³²."""
    model = drawn("resnet8_w8", 11)
    for number, (name, parameter) in enumerate(model.named_parameters()):
        if parameter.dim() < 2:
            continue
        bits = u32(11, Stream.INIT, number, np.arange(parameter.numel()))
        fan_in = parameter[0].numel()
        expected = special.ndtri((bits + 0.5) / 2**32) * math.sqrt(2 / fan_in)
        np.testing.assert_allclose(parameter.detach().flatten().numpy(), expected, rtol=2e-7, err_msg=name)


def test_a_large_tensor_is_drawn_in_pieces_and_no_weight_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn("mlp1", 5)
    monkeypatch.setattr(laws, "PIECE", 1000)
    for one, other in zip(whole.parameters(), drawn("mlp1", 5).parameters(), strict=True):
        assert torch.equal(one, other)


def test_first_weights_do_not_hang_on_how_they_lie_in_memory() -> None:
    """Channels-last kernels have the very numbers of contiguous ones."""
    flat = drawn("convnet4", seed=5)
    contiguous = network("convnet4", MNIST, 10)
    draw_weights(contiguous, 5)
    kernel = next(p for p in list(flat.parameters())[2:] if p.dim() == 4)
    assert not kernel.is_contiguous() and kernel.is_contiguous(memory_format=torch.channels_last)
    for mine, theirs in zip(flat.parameters(), contiguous.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=0)


PINNED = {
    "glorot_uniform": [-0.05773455277085304, 0.024079320952296257, -0.060372404754161835],
    "torch_default": [-0.023719875141978264, 0.009892836213111877, -0.02480361983180046],
    "kaiming_normal": [-0.048609066754579544, 0.017902500927448273, -0.05175582319498062],
}


@pytest.mark.parametrize("initial", PINNED)
def test_the_first_weights_are_pinned(initial: str) -> None:
    """Stored records were trained from them."""
    first = next(iter(drawn("perceptron", 0, initial).parameters())).detach().flatten()
    assert first[:3].tolist() == pytest.approx(PINNED[initial], rel=2e-7)
