"""The networks: sizes, costs, first weights, and the flat vector that holds them."""

from __future__ import annotations

import math

import pytest
import torch
from plain_loop import draw_weights, network
from scipy import stats
from torch import nn

from lnbench import catalog
from lnbench.models import plain
from lnbench.training.flat import FlatParameters, glorot_uniform

MNIST = (1, 28, 28)
CPU = torch.device("cpu")
SIZES = {"perceptron": 7_850, "mlp1": 407_050, "mlp2": 669_706, "mlp4": 1_195_018, "convnet4": 1_676_266}
MMACS = {"perceptron": 0.008, "mlp1": 0.41, "mlp2": 0.67, "mlp4": 1.19, "convnet4": 19.9}


@pytest.mark.parametrize("name", SIZES)
def test_the_networks_have_the_sizes_of_the_keras_examples(name: str) -> None:
    assert plain.parameters(name, MNIST, 10) == SIZES[name]
    built = plain.build(name, MNIST, 10)
    assert sum(parameter.numel() for parameter in built.parameters()) == SIZES[name]
    assert FlatParameters(built, CPU).weights.numel() == SIZES[name]


@pytest.mark.parametrize("name", MMACS)
def test_the_networks_cost_what_the_catalog_says(name: str) -> None:
    mmac = catalog.find("model", name).mmac
    assert mmac is not None
    assert mmac(MNIST, 10) == pytest.approx(MMACS[name], abs=0.005 if name != "convnet4" else 0.05)
    counted = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal counted
        weight: torch.Tensor = module.weight  # type: ignore[assignment]
        counted += weight.numel() * output[0, 0].numel()

    built = plain.build(name, MNIST, 10)
    for module in built.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    built(torch.zeros(1, *MNIST))
    assert mmac(MNIST, 10) == counted / 1e6


def test_images_too_small_for_the_pooling_are_refused() -> None:
    with pytest.raises(ValueError, match="3×3 pixels are too small"):
        plain.mmac("convnet4", (1, 3, 3), 10)


@pytest.mark.parametrize("name", SIZES)
def test_a_network_computes_what_its_textbook_form_does(name: str) -> None:
    built, textbook = plain.build(name, (3, 9, 11), 7), network(name, (3, 9, 11), 7)
    textbook.load_state_dict(dict(zip(textbook.state_dict(), built.state_dict().values(), strict=True)))
    images = torch.rand(5, 3, 9, 11)
    assert torch.equal(built(images), textbook(images))


def test_relu_behind_the_pooling_is_relu_before_it_to_the_last_bit() -> None:
    """max(relu(x)) = relu(max(x)): values and gradients, ties and negative windows included."""
    values = torch.randn(4, 8, 10, 10, generator=torch.Generator().manual_seed(0))
    values = (values * 4).round() / 4  # many ties
    values[:, :2] = -values[:, :2].abs()  # windows without a positive value
    weight = torch.randn(4, 8, 5, 5, generator=torch.Generator().manual_seed(1))
    results = []
    for stack in (nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))):
        x = values.clone().requires_grad_()
        y = stack(x)
        (y * weight).sum().backward()
        results.append((y.detach(), x.grad))
    (after, gradient_after), (before, gradient_before) = results
    assert torch.equal(after, before)
    assert torch.equal(gradient_after, gradient_before)


# ---- first weights


def drawn(name: str, seed: int = 0) -> nn.Module:
    model = plain.build(name, MNIST, 10)
    FlatParameters(model, CPU)
    glorot_uniform(model, seed)
    return model


@pytest.mark.parametrize("name", ["perceptron", "mlp1", "convnet4"])
def test_first_weights_obey_glorots_law(name: str) -> None:
    for parameter in drawn(name).parameters():
        if parameter.dim() == 1:
            assert not parameter.any()
            continue
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(parameter)
        limit = math.sqrt(6 / (fan_in + fan_out))
        values = parameter.detach().flatten()
        n = len(values)
        assert values.abs().max() <= limit
        assert values.abs().max() > limit * (1 - 20 / n)
        assert abs(values.mean()) < 5 * limit / math.sqrt(3 * n)
        assert values.var().item() == pytest.approx(limit**2 / 3, rel=5 * math.sqrt(0.8 / n))
        assert stats.kstest((values.double() / limit).numpy()[:20_000], "uniform", args=(-1, 2)).pvalue > 1e-4


def test_first_weights_do_not_hang_on_how_they_lie_in_memory() -> None:
    """Channels-last kernels have the very numbers of contiguous ones."""
    flat = drawn("convnet4", seed=5)
    contiguous = network("convnet4", MNIST, 10)
    draw_weights(contiguous, 5)
    kernel = next(p for p in list(flat.parameters())[2:] if p.dim() == 4)
    assert not kernel.is_contiguous() and kernel.is_contiguous(memory_format=torch.channels_last)
    for mine, theirs in zip(flat.parameters(), contiguous.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=0)


def test_first_weights_are_a_function_of_the_seed_alone() -> None:
    torch.manual_seed(1)
    one = drawn("mlp1", 3)
    torch.manual_seed(2)
    two, other = drawn("mlp1", 3), drawn("mlp1", 4)
    for a, b, c in zip(one.parameters(), two.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() == 1 or (a == c).float().mean() < 0.01


def test_the_first_weights_are_pinned() -> None:
    first = next(iter(drawn("perceptron", 0).parameters())).detach().flatten()
    assert first[:3].tolist() == pytest.approx(
        [-0.05773455277085304, 0.024079320952296257, -0.060372404754161835], rel=1e-7
    )


# ---- the flat vector


def test_parameters_and_gradients_are_views_of_one_vector() -> None:
    model = plain.build("convnet4", (1, 8, 8), 10)
    flat = FlatParameters(model, CPU)
    glorot_uniform(model, 0)
    model(torch.rand(3, 1, 8, 8)).sum().backward()
    start = 0
    for parameter in model.parameters():
        part = slice(start, start + parameter.numel())
        for vector, tensor in ((flat.weights, parameter.data), (flat.gradient, parameter.grad)):
            assert tensor is not None
            layout = tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor
            assert torch.equal(vector[part], layout.reshape(-1))
            assert tensor.data_ptr() == vector[part].data_ptr()
        start += parameter.numel()
    assert start == flat.weights.numel() == flat.gradient.numel()
    before = model(torch.ones(1, 1, 8, 8))
    flat.weights.mul_(0)
    assert before.any() and not model(torch.ones(1, 1, 8, 8)).any()


def test_a_second_backward_adds_to_the_same_vector() -> None:
    model = plain.build("mlp1", (1, 4, 4), 3)
    flat = FlatParameters(model, CPU)
    glorot_uniform(model, 0)
    model(torch.ones(2, 1, 4, 4)).square().sum().backward()
    once = flat.gradient.clone()
    model(torch.ones(2, 1, 4, 4)).square().sum().backward()
    torch.testing.assert_close(flat.gradient, 2 * once)
    flat.gradient.zero_()
    assert not any(parameter.grad.any() for parameter in model.parameters() if parameter.grad is not None)
