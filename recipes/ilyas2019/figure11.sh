#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 11: images of D_rand and D_det with their new labels.
. "$(dirname "$0")/common.sh"
for set in rand det; do for from in standard robust; do relabelled $from $set; done; done
picture figure11 advtool explain --method samples --data "$data" --data "$made/rand-standard/" \
    --data "$made/det-standard/" --data "$made/rand-robust/" --data "$made/det-robust/" --split train \
    --names "D,D_rand,D_det,D_rand robust,D_det robust" -n 10
