"""What the server of `forked` imports."""

import matplotlib.figure
import torch
import torch._dynamo  # what an optimiser imports at its first step
import torchvision

import advtool.cli.main
import advtool.commands.attack
import advtool.commands.data
import advtool.commands.distill
import advtool.commands.evaluate
import advtool.commands.explain
import advtool.commands.relabel
import advtool.commands.train

__all__ = ["advtool", "matplotlib", "torch", "torchvision"]
