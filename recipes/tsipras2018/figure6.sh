#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 6: adversarial examples at a large radius, cifar.
. "$(dirname "$0")/common.sh"
set=$(pick mnist cifar cifar)
rows "$set"
for norm in linf l2; do
    picture "figure6-$norm" advtool explain --method large-eps "${models[@]}" --names "$names" --data "${images[$set]}" --adv $norm
done
