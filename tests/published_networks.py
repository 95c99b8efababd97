"""Networks as RobustBench publishes them, in other words than ours: what their files have to give."""

import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, padding: int | None = None) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2 if padding is None else padding, bias=False)


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """With batch statistics, scales and shifts that are not those of initialisation."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return net.eval()


class PreActUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, late: bool):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.late = late
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride))

    def forward(self, x):
        y = F.relu(self.bn1(x))
        side = x
        if hasattr(self, "shortcut"):
            side = self.shortcut(y) if self.late else self.shortcut(x)
        return self.conv2(F.relu(self.bn2(self.conv1(y)))) + side


class PreActResNet(nn.Module):
    """`PreActResNet` of RobustBench; `late` for its `PreActBlockV2`, `norm` for its `bn_before_fc`."""

    def __init__(self, units=(2, 2, 2, 2), late: bool = False, norm: bool = False, classes: int = 10):
        super().__init__()
        self.conv1 = conv(3, 64)
        widths = (64, 64, 128, 256, 512)
        for k, count in enumerate(units):
            stage = [PreActUnit(widths[k], widths[k + 1], 2 if k else 1, late)]
            stage += [PreActUnit(widths[k + 1], widths[k + 1], 1, late) for _ in range(count - 1)]
            setattr(self, f"layer{k + 1}", nn.Sequential(*stage))
        if norm:
            self.bn = nn.BatchNorm2d(512)
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        for stage in (self.conv1, self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        if hasattr(self, "bn"):
            x = F.relu(self.bn(x))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


class Normalised(nn.Module):
    """The network with buffers `mu` and `sigma`, as the classes of single entries have them."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net
        self.register_buffer("mu", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("sigma", torch.tensor(STD).view(1, 3, 1, 1))

    def state(self) -> dict[str, torch.Tensor]:
        return {**self.net.state_dict(), "mu": self.mu, "sigma": self.sigma}

    def forward(self, x):
        return self.net((x - self.mu) / self.sigma)


def same(x, stride: int):
    """Zeros as TensorFlow's SAME padding puts them."""
    return F.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class DMUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.batchnorm_0, self.conv_0 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride, padding=0)
        self.batchnorm_1, self.conv_1 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.shortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None
        self.stride = stride

    def forward(self, x):
        y = F.silu(self.batchnorm_0(x))
        side = x if self.shortcut is None else self.shortcut(y)
        return side + self.conv_1(F.silu(self.batchnorm_1(self.conv_0(same(y, self.stride)))))


class DMGroup(nn.Module):
    def __init__(self, count: int, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.block = nn.Sequential(
            *(DMUnit(outputs if k else inputs, outputs, 1 if k else stride) for k in range(count))
        )

    def forward(self, x):
        return self.block(x)


class DM(nn.Module):
    """What DeepMind's networks share: the normaliser in them, whose buffers are `mean` and `std`."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))


class DMWideResNet(DM):
    def __init__(self, depth: int = 10, width: int = 1, classes: int = 10):
        super().__init__()
        sizes, count = [16, 16 * width, 32 * width, 64 * width], (depth - 4) // 6
        self.init_conv = conv(3, 16)
        self.layer = nn.Sequential(*(DMGroup(count, sizes[k], sizes[k + 1], 2 if k else 1) for k in range(3)))
        self.batchnorm, self.logits = nn.BatchNorm2d(sizes[-1]), nn.Linear(sizes[-1], classes)

    def forward(self, x):
        x = self.layer(self.init_conv((x - self.mean) / self.std))
        return self.logits(F.avg_pool2d(F.silu(self.batchnorm(x)), 8).flatten(1))


class DMPreActUnit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.batchnorm_0, self.conv_2d_1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride, padding=0)
        self.batchnorm_1, self.conv_2d_2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.stride = stride
        if stride > 1 or inputs != outputs:
            self.shortcut = conv(inputs, outputs, stride=stride, padding=0)

    def forward(self, x):
        y = self.conv_2d_1(same(F.silu(self.batchnorm_0(x)), self.stride))
        y = self.conv_2d_2(F.silu(self.batchnorm_1(y)))
        return y + (self.shortcut(same(x, self.stride)) if hasattr(self, "shortcut") else x)


class DMPreActResNet(DM):
    def __init__(self, units=(2, 2, 2, 2), classes: int = 10):
        super().__init__()
        self.conv_2d = conv(3, 64)
        widths = (64, 64, 128, 256, 512)
        for k, count in enumerate(units):
            stage = [DMPreActUnit(widths[k], widths[k + 1], 2 if k else 1)]
            stage += [DMPreActUnit(widths[k + 1], widths[k + 1], 1) for _ in range(count - 1)]
            setattr(self, f"layer_{k}", nn.Sequential(*stage))
        self.batchnorm, self.logits = nn.BatchNorm2d(512), nn.Linear(512, classes)

    def forward(self, x):
        x = self.conv_2d((x - self.mean) / self.std)
        for k in range(4):
            x = getattr(self, f"layer_{k}")(x)
        return self.logits(F.avg_pool2d(F.silu(self.batchnorm(x)), 4).flatten(1))
