#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 3: adversarial examples at a large radius, mnist.
. "$(dirname "$0")/common.sh"
set=$(pick mnist mnist mnist)
rows "$set"
for norm in linf l2; do
    picture "figure3-$norm" advtool explain --method large-eps "${models[@]}" --names "$names" --data "${images[$set]}" --adv $norm
done
