"""The networks: sizes, costs, what they compute, and the flat vector that holds them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from lnbench import catalog
from lnbench.models import densenet, plain, resnet, vgg
from lnbench.models.layers import Layer, mmac, parameters
from lnbench.models.torch_densenet import DenseNet
from lnbench.models.torch_dropout import Dropout
from lnbench.models.torch_resnet import Block, ResNet
from lnbench.models.torch_vgg import VGG, averaged
from lnbench.training.flat import FlatParameters
from lnbench.training.initial import initialise
from tests.models.textbook import densenet as textbook_densenet
from tests.models.textbook import resnet as textbook_resnet
from tests.models.textbook import vgg as textbook_vgg
from tests.training.plain_loop import network

CPU = torch.device("cpu")
MNIST, CIFAR, GREY, PHOTO = (1, 28, 28), (3, 32, 32), (1, 32, 32), (3, 224, 224)
# (an image's shape, parameters, millions of multiply-accumulates): the papers', the Keras examples' and the table of
# costs that the studies were planned with
PRINTED = {
    "perceptron": (MNIST, 7_850, 0.008),
    "mlp1_w32": (MNIST, 25_450, 0.03),
    "mlp1": (MNIST, 407_050, 0.41),
    "mlp2": (MNIST, 669_706, 0.67),
    "mlp4": (MNIST, 1_195_018, 1.19),
    "convnet2": (MNIST, 1_199_882, 12.0),
    "convnet4": (MNIST, 1_676_266, 19.9),
    "convnet6": (CIFAR, 1_341_226, 39.7),
    "lenet": (MNIST, 431_080, 2.3),
    "lenet5": (CIFAR, 62_006, 0.65),
    "resnet20": (CIFAR, 269_722, 40.6),
    "resnet32": (CIFAR, 464_154, 68.9),
    "resnet44": (CIFAR, 658_586, 97.2),
    "resnet56": (CIFAR, 853_018, 125.5),
    "resnet110": (CIFAR, 1_727_962, 252.9),
    "resnet20_aum": (CIFAR, 269_722, 40.6),
    "resnet32_aum": (CIFAR, 464_154, 68.9),
    "resnet44_aum": (CIFAR, 658_586, 97.2),
    "resnet56_aum": (CIFAR, 853_018, 125.5),
    "resnet110_aum": (CIFAR, 1_727_962, 252.9),
    "resnet18": (CIFAR, 11_173_962, 555.4),
    "resnet101": (CIFAR, 42_512_970, 2510.0),
    "resnet18_imagenet": (PHOTO, 11_181_642, 1813.6),
    "densenet_bc40": (CIFAR, 176_122, 72.4),
    "densenet_bc100": (CIFAR, 769_162, 287.9),
    "vgg16_bn": (GREY, 134_308_810, 431.6),
}
UNPRINTED = {
    "densenet_bc10": CIFAR,
    "resnet8_w8": CIFAR,
    "resnet8_aum": CIFAR,
    "resnet18_w16": CIFAR,
    "vgg11_bn_w512": GREY,
    "vgg_small": (1, 8, 8),
}
SHAPES = {name: shape for name, (shape, _, _) in PRINTED.items()} | UNPRINTED
FAMILIES = (plain, resnet, densenet, vgg)
SEQUENTIAL = ("perceptron", "mlp1", "mlp2", "mlp4", "convnet4")  # those that the plain loop has, too


def family(name: str) -> Any:
    return next(module for module in FAMILIES if name in module.NETWORKS)


def build(name: str, shape: tuple[int, int, int], classes: int = 10) -> nn.Module:
    return catalog.find("model", name).load()(name, shape, classes)


def test_every_network_is_in_the_table_above() -> None:
    assert {name for module in FAMILIES for name in module.NETWORKS} == set(SHAPES)
    assert set(SHAPES) <= set(catalog.names("model"))


@pytest.mark.parametrize("name", PRINTED)
def test_the_networks_have_the_printed_sizes_and_costs(name: str) -> None:
    shape, size, cost = PRINTED[name]
    assert parameters(family(name).layers, name, shape, 10) == size
    priced = catalog.find("model", name).mmac
    assert priced is not None
    places = len(str(cost).partition(".")[2])
    assert priced(shape, 10) == pytest.approx(cost, abs=0.51 * 10**-places)


def test_more_printed_sizes() -> None:
    assert parameters(resnet.layers, "resnet18_imagenet", PHOTO, 1000) == 11_689_512
    assert mmac(resnet.layers, "resnet18_imagenet", PHOTO, 1000) == pytest.approx(1814.1, abs=0.05)
    assert parameters(resnet.layers, "resnet32", CIFAR, 100) == 470_004
    assert parameters(plain.layers, "convnet4", CIFAR, 10) == 2_168_362
    assert mmac(plain.layers, "convnet4", CIFAR, 10) == pytest.approx(26.6, abs=0.05)


@pytest.mark.parametrize("name", SHAPES)
def test_each_layer_of_the_table_is_the_layer_that_torch_has(name: str) -> None:
    """Kind, width, kernel, bias and places of every layer, in order; and so all parameters and multiplications."""
    shape = SHAPES[name]
    module = build(name, shape).eval()
    found: dict[nn.Module, Layer] = {}

    def measure(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        places = output[0, 0].numel()
        if isinstance(layer, nn.Conv2d):
            assert layer.kernel_size[0] == layer.kernel_size[1]
            sizes = layer.in_channels, layer.out_channels, places, layer.kernel_size[0]
            found[layer] = Layer("conv", *sizes, layer.bias is not None)
        elif isinstance(layer, nn.Linear):
            found[layer] = Layer("dense", layer.in_features, layer.out_features, places)
        elif isinstance(layer, nn.BatchNorm2d):
            assert (layer.eps, layer.momentum, layer.affine) == (1e-5, 0.1, True)
            found[layer] = Layer("norm", layer.num_features, layer.num_features, places)
        else:
            assert not list(layer.parameters(recurse=False))

    for layer in module.modules():
        layer.register_forward_hook(measure)
    assert module(torch.zeros(1, *shape)).shape == (1, 10)
    table = family(name).layers(name, shape, 10)
    assert [found[layer] for layer in module.modules() if layer in found] == table
    size = sum(parameter.numel() for parameter in module.parameters())
    assert parameters(family(name).layers, name, shape, 10) == size == FlatParameters(module, CPU).weights.numel()


def test_networks_are_priced_without_torch() -> None:
    code = (
        "import sys; from lnbench import catalog; "
        "[catalog.find('model', name).mmac((3, 32, 32), 10) for name in catalog.names('model')]; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("convnet4", (1, 3, 3), "3×3 pixels are too small for this network's pooling"),
        ("convnet2", (1, 4, 9), "4×9 pixels are too small for this network's convolutions"),
        ("convnet2", (1, 5, 5), "5×5 pixels are too small for this network's pooling"),
        ("lenet", (1, 8, 8), "8×8 pixels are too small for this network's convolutions"),
        ("densenet_bc40", (3, 3, 8), "3×8 pixels are too small for this network's pooling"),
        ("resnet20_aum", (3, 30, 32), "30×32 pixels cannot be halved 2 times"),
        ("vgg16_bn", (1, 28, 28), "28×28 pixels are too small for this network's pooling"),
        ("vgg_small", (1, 3, 8), "3×8 pixels are too small for this network's pooling"),
    ],
)
def test_images_that_a_network_cannot_take_are_refused(name: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        family(name).layers(name, shape, 10)
    with pytest.raises(ValueError, match=message):
        build(name, shape)


@pytest.mark.parametrize("name", ["resnet20", "resnet18_w16", "resnet8_w8"])
def test_odd_images_are_halved_upwards(name: str) -> None:
    shape = (1, 13, 9)
    assert build(name, shape).eval()(torch.zeros(2, *shape)).shape == (2, 10)
    places = [layer.places for layer in resnet.layers(name, shape, 10) if layer.kind == "conv"]
    assert places[0] == 13 * 9 and 7 * 5 in places and 4 * 3 in places


@pytest.mark.parametrize("side", [8, 14, 28, 32])
def test_the_small_vgg_takes_small_images_and_has_one_size(side: int) -> None:
    shape = (1, side, side)
    assert build("vgg_small", shape).eval()(torch.zeros(2, *shape)).shape == (2, 10)
    assert parameters(vgg.layers, "vgg_small", shape, 10) == 14_906


# ---- what they compute


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_a_network_computes_what_its_textbook_form_does(name: str) -> None:
    built, textbook = build(name, (3, 9, 11), 7), network(name, (3, 9, 11), 7)
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


def shaken(module: nn.Module) -> nn.Module:
    """With weights at random, those of the normalisations, too."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return module


def drawing(module: nn.Module, step: int) -> nn.Module:
    """With what its dropout layers, of seeds 0, 1, …, drop in this step."""
    for seed, layer in enumerate(layer for layer in module.modules() if isinstance(layer, Dropout)):
        layer.start(seed, CPU)
        layer.draw(step)
    return module


SHORTCUTS = ("subsample", "average", "projection")
IMAGES = torch.rand(4, 3, 16, 12, generator=torch.Generator().manual_seed(9))


def small(kind: str) -> nn.Module:
    if kind == "vgg":
        return drawing(VGG((8, 8, "M", 16, "M", 16), 3, (24, 20), 0.4, 3, 7), step=5)
    return DenseNet((2,) * 3, 12, 48, 3, 7) if kind == "dense" else ResNet((2, 1, 2), 8, kind, 3, 7)  # type: ignore[arg-type]


def same_with_gradients(module: nn.Module, one: torch.Tensor, other: torch.Tensor) -> None:
    """The bias of a convolution before a normalisation has none: the mean that is taken off takes it along."""
    torch.testing.assert_close(one, other)
    ours, theirs = (torch.autograd.grad(logits.square().sum(), list(module.parameters())) for logits in (one, other))
    largest = max(gradient.norm() for gradient in theirs)
    for (name, _), a, b in zip(module.named_parameters(), ours, theirs, strict=True):
        if name.endswith("conv.bias"):
            assert a.norm() <= 1e-12 * largest and b.norm() <= 1e-12 * largest
        else:
            assert (a - b).norm() <= 1e-9 * b.norm() and b.any(), name


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_a_residual_network_computes_what_the_formulas_say(shortcut: str) -> None:
    module = shaken(small(shortcut)).double()
    images = IMAGES.double()
    same_with_gradients(module, module(images), textbook_resnet(module, images, (2, 1, 2), shortcut))


def test_a_densenet_computes_what_the_formulas_say() -> None:
    module = shaken(small("dense")).double()
    images = IMAGES.double()
    same_with_gradients(module, module(images), textbook_densenet(module, images, 2))


def test_a_vgg_computes_what_the_formulas_say() -> None:
    """The average pooling makes 3×3 of 4×3 pixels: windows overlap along one axis."""
    module = shaken(small("vgg")).double()
    images = IMAGES.double()
    same_with_gradients(module, module(images), textbook_vgg(module, images, "11M1M1", side=3, step=5, share=0.4))


# VGG-16's weights alone take seconds; its layers are in the table above
@pytest.mark.parametrize("name", [pytest.param("vgg16_bn", marks=pytest.mark.long), "vgg11_bn_w512"])
def test_a_vgg_is_torchvisions_for_grey_images(name: str) -> None:
    """As evaluated; VGG-11 with another head, and on larger images, of which the poolings leave 2×2 pixels."""
    side = 32 if name == "vgg16_bn" else 64
    images = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(1))
    ours = drawing(build(name, GREY), step=0)
    initialise(ours, "kaiming_normal_fan_out_small_dense", 0)
    with torch.device("meta"):  # it takes our weights as they lie: 500 MB of them
        theirs = getattr(torchvision.models, name.removesuffix("_w512"))(num_classes=10)
        theirs.features[0] = nn.Conv2d(1, 64, 3, padding=1)
        if name == "vgg11_bn_w512":
            theirs.avgpool = nn.AdaptiveAvgPool2d(1)
            theirs.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 10))
    with torch.no_grad():
        for layer in ours.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None  # they learn all of these images, which then differ in the last layer, too
        ours(images)
        own = dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True))
        theirs.load_state_dict(own, assign=True)
        logits = ours.eval()(images)
        torch.testing.assert_close(logits, theirs.eval()(images), rtol=1e-4, atol=1e-5)
    assert logits.std(0).min() > 3e-3  # it sees the images


@pytest.mark.parametrize(
    ("height", "width", "side"), [(1, 1, 7), (7, 7, 7), (2, 3, 1), (3, 3, 2), (5, 8, 3), (2, 2, 7)]
)
def test_the_average_pooling_is_torchs(height: int, width: int, side: int) -> None:
    x = torch.rand(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(2, 3, side, side, dtype=torch.float64)
    one, other = averaged(x, side), nn.functional.adaptive_avg_pool2d(x, side)
    torch.testing.assert_close(one, other)
    mine, theirs = (torch.autograd.grad((y * weight).sum(), x)[0] for y in (one, other))
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", ["resnet18", "resnet101"])
def test_a_resnet_is_torchvisions_with_a_small_stem(name: str) -> None:
    theirs = getattr(torchvision.models, name)(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    ours = build(name, CIFAR)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), shaken(ours).state_dict().values(), strict=True)))
    for mode in (True, False):  # the second with the statistics that the first has left
        torch.testing.assert_close(ours.train(mode)(IMAGES), theirs.train(mode)(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [64, 75])
def test_the_resnet_for_photographs_is_torchvisions(side: int) -> None:
    theirs, ours = torchvision.models.resnet18(num_classes=10), build("resnet18_imagenet", (3, side, side))
    theirs.load_state_dict(dict(zip(theirs.state_dict(), shaken(ours).state_dict().values(), strict=True)))
    images = torch.rand(4, 3, side, side)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shortcut"), [("resnet20", "subsample"), ("resnet32_aum", "average"), ("resnet18", "projection")]
)
def test_names_mean_the_shortcuts_of_their_papers(name: str, shortcut: str) -> None:
    blocks = [module for module in build(name, CIFAR).modules() if isinstance(module, Block)]
    assert [block.shortcut for block in blocks if block.stride == 2] == [shortcut] * (3 if name == "resnet18" else 2)
    assert {block.shortcut for block in blocks if block.stride == 1} == {"identity"}


FORWARDS = ("subsample", "average", "dense")  # are traced forwards alone, in half the time


@pytest.mark.parametrize("kind", [*SHORTCUTS, "dense", "vgg"])
def test_a_pass_is_one_graph_and_stays_channels_last(kind: str) -> None:
    """`fullgraph` fails at any branch on data. A layout that changes on the way would be copied back at every layer."""
    module = shaken(small(kind)).to(memory_format=torch.channels_last)
    images = IMAGES.contiguous(memory_format=torch.channels_last)
    seen = []

    def look(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        seen.append(all(t.is_contiguous(memory_format=torch.channels_last) for t in (inputs[0], output)))

    hooks = [layer.register_forward_hook(look) for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    eager = module(images)
    assert seen and all(seen)
    for hook in hooks:
        hook.remove()
    backend = "eager" if kind in FORWARDS else "aot_eager"
    traced = torch.compile(module, fullgraph=True, backend=backend, dynamic=False)
    torch.testing.assert_close(traced(images), eager)
    traced(images).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


# ---- the flat vector


def test_parameters_and_gradients_are_views_of_one_vector() -> None:
    model = build("convnet4", (1, 8, 8))
    flat = FlatParameters(model, CPU)
    initialise(model, "glorot_uniform", 0)
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
    model = build("mlp1", (1, 4, 4), 3)
    flat = FlatParameters(model, CPU)
    initialise(model, "glorot_uniform", 0)
    model(torch.ones(2, 1, 4, 4)).square().sum().backward()
    once = flat.gradient.clone()
    model(torch.ones(2, 1, 4, 4)).square().sum().backward()
    torch.testing.assert_close(flat.gradient, 2 * once)
    flat.gradient.zero_()
    assert not any(parameter.grad.any() for parameter in model.parameters() if parameter.grad is not None)
