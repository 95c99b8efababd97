#!/usr/bin/env bash
# Tsipras et al. 2018, Table 4: a linear classifier of 5 against 7, trained plainly and against linf 0.2. Of the printed
# table only the numbers 98.38, 94.05, 70.05, 92.10, 13.69 and 76.05 survive, without their cells.
. "$(dirname "$0")/../lib.sh"
for split in train test; do
    [ -e "$made/binary-$split.tar" ] || advtool relabel --data "$(mnist)" --split $split --keep 5,7 -q -o "$made/binary-$split.tar"
done
fit=(--data "$made/binary-train.tar" --arch linear --optimizer sgd --lr 0.1 --schedule constant --epochs "$(pick 3 100 100)"
    --batch-size "$(pick 64 512 12000)" --weight-decay 0 --label-smoothing 0)
model binary-standard "${fit[@]}"
model binary-robust "${fit[@]}" --adv linf --eps 0.2 --test-limit 1
for training in standard robust; do
    for split in train test; do
        report "table4-$training-$split" advtool eval --ckpt "$made/binary-$training.safetensors" \
            --data "$made/binary-$split.tar" --adv linf --eps 0.2 --no-checks
        cell "$training, $split, standard accuracy" clean.accuracy "table4-$training-$split"
        cell "$training, $split, adversarial accuracy" adversarial.0.accuracy "table4-$training-$split"
    done
    report "table4-$training-weights" advtool explain --ckpt "$made/binary-$training.safetensors" \
        --data "$made/binary-train.tar" --method weights
    cell "$training, l1 norm of the weights" models.0.measures.l1.mean "table4-$training-weights"
done
