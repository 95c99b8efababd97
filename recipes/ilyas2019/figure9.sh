#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 9: images, and what D_R and D_NR make of them.
. "$(dirname "$0")/common.sh"
distilled standard image
distilled robust image
picture figure9 advtool explain --method samples --data "$data" --data "$made/d-robust-image/" \
    --data "$made/d-standard-image/" --split train --names "D,D_R,D_NR" -n 10
