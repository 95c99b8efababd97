#!/usr/bin/env bash
# Ilyas et al. 2019, Table 8: how much of the robustness on D_R is lost between its training set, its test set and the
# real test set. D_R of the test split starts at training images.
. "$(dirname "$0")/common.sh"
distilled robust image
shards d-robust-test advtool distill --robust "$made/robust.safetensors" --data "$data" --split test \
    --steps "$(pick 50 "${STEPS:-300}" 1000)" --step-size 0.1
at=(--adv l2 --eps 0.25 --steps "$(pick 20 100 100)")
measure "D_R train" on-d-robust-image --data "$made/d-robust-image/" --split train -n "$(pick 500 10000 50000)" "${at[@]}"
measure "D_R test" on-d-robust-image --data "$made/d-robust-test/" "${at[@]}"
measure test on-d-robust-image --data "$data" "${at[@]}"
