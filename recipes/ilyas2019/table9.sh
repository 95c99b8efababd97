#!/usr/bin/env bash
# Ilyas et al. 2019, Table 9, and CIFAR-10.1: models that saw only wrong labels. Of the last epoch, never the best.
. "$(dirname "$0")/common.sh"
builder standard
measure D standard --data "$data"
for from in standard robust; do
    for set in rand det; do
        relabelled "$from" "$set"
        measure "D_$set of a $from model" "on-$set-$from" --data "$data"
    done
done
if [ -n "${CIFAR10_1:-}" ]; then # a data root with CIFAR-10.1, or shards of it
    for set in rand det; do
        report "table9-cifar10.1-$set" advtool eval --ckpt "$made/on-$set-standard.safetensors" --data "$CIFAR10_1" --no-checks
        cell "D_$set of a standard model, CIFAR-10.1" clean.accuracy "table9-cifar10.1-$set"
    done
fi
