#!/usr/bin/env bash
# Suggala et al. 2019, Figure 6: gradient, integrated gradients and SmoothGrad (variance 0.25) of a standard network, and
# below them the same of a robust one.
. "$(dirname "$0")/common.sh"
data=$(mnist) fit=(--data "$(mnist)" "${few[@]}" "${three[@]}")
at=(--adv linf --eps 0.1 --steps "$(pick 2 10 50)" --step-size "$(pick 0.05 0.025 0.01)")
risks standard 0
risks robust 1
picture figure6 advtool explain --method gradient,integrated-gradients,smoothgrad --variance 0.25 --data "$data" \
    --ckpt "$made/standard.safetensors" --ckpt "$made/robust.safetensors" --names standard,robust
