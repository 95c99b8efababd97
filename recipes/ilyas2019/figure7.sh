#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 7: what distillation makes of noise, by a robust and by a standard model.
. "$(dirname "$0")/common.sh"
distilled standard noise
distilled robust noise
picture figure7 advtool explain --method samples --data "$data" --data "$made/d-robust-noise/" \
    --data "$made/d-standard-noise/" --split train --names "D,D_R from noise,D_NR from noise" -n 10
