#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 5: the gradient of the loss in the pixels, of a standard and of robust models, mnist.
. "$(dirname "$0")/common.sh"
set=$(pick mnist mnist mnist)
rows "$set"
picture figure5 advtool explain --method gradient "${models[@]}" --names "$names" --data "${images[$set]}"
