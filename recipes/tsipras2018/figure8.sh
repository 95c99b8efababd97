#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 8: the gradient of the loss in the pixels, of a standard and of robust models, cifar.
. "$(dirname "$0")/common.sh"
set=$(pick mnist cifar cifar)
rows "$set"
picture figure8 advtool explain --method gradient "${models[@]}" --names "$names" --data "${images[$set]}"
