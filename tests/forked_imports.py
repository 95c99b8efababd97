"""What the server of `forked` imports."""

import torch
import torchvision

import advtool.cli.main
import advtool.commands.train

__all__ = ["advtool", "torch", "torchvision"]
