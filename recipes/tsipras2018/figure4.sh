#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 4: from an image to its adversarial example at a large radius, by a robust model.
. "$(dirname "$0")/common.sh"
set=$(pick mnist "${SET:-cifar}" restricted)
trained "$set" l2 "${printed[$set-l2]}"
picture figure4 advtool explain --method interpolate --ckpt "$checkpoint" --data "${images[$set]}" --target random
