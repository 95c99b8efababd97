#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 10: test accuracy by epoch, on D_rand and D_det, of both builders. The robust ones decline.
. "$(dirname "$0")/common.sh"
curves=()
for set in rand det; do
    for from in standard robust; do
        relabelled $from $set
        curves+=("$made/on-$set-$from.safetensors")
    done
done
picture figure10 advtool plot "${curves[@]}" --x history.epoch --y history.accuracy.test --by checkpoint.path --percent
