#!/usr/bin/env bash
# Ilyas et al. 2019, Table 10: does a model trained on D_det follow the features, or the images?
. "$(dirname "$0")/common.sh"
[ -e "$made/shifted.tar" ] || advtool relabel --data "$data" --split test --shift 1 -q -o "$made/shifted.tar"
for from in standard robust; do
    relabelled "$from" det
    for labels in true shifted; do
        images=$([ $labels = true ] && echo "$data" || echo "$made/shifted.tar")
        report "table10-$from-$labels" advtool eval --ckpt "$made/on-det-$from.safetensors" --data "$images" --no-checks
        cell "$from model, $labels" clean.accuracy "table10-$from-$labels"
    done
done
