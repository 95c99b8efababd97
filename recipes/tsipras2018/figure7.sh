#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 7: adversarial examples at a large radius, restricted.
. "$(dirname "$0")/common.sh"
set=$(pick mnist restricted restricted)
rows "$set"
for norm in linf l2; do
    picture "figure7-$norm" advtool explain --method large-eps "${models[@]}" --names "$names" --data "${images[$set]}" --adv $norm
done
