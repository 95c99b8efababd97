#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 2: weights of a linear classifier of 5 against 7, and its accuracy when it sees only the k
# pixels that correlate most with the label: feature selection instead of adversarial training.
plot=(--x k --y obtained --by measure --log-x --percent --x-label "pixels seen" --y-label accuracy)
. "$(dirname "$0")/../lib.sh"
bash "$(dirname "$0")/table4.sh" > /dev/null
for k in $(pick "4 32" "10 20 50 100 200 400 784" "10 20 50 100 200 400 784"); do
    model "binary-top-$k" --data "$made/binary-train.tar" --arch linear --top-pixels "$k" --optimizer sgd --lr 0.1 \
        --schedule constant --epochs "$(pick 3 100 100)" --batch-size "$(pick 64 512 12000)" --weight-decay 0
    report "figure2-$k" advtool eval --ckpt "$made/binary-top-$k.safetensors" --data "$made/binary-test.tar" \
        --adv linf --eps 0.2 --no-checks
    cell "$k pixels, standard" clean.accuracy "figure2-$k" --with "k=$k" --with measure=standard
    cell "$k pixels, adversarial" adversarial.0.accuracy "figure2-$k" --with "k=$k" --with measure=adversarial
done
picture figure2-weights advtool explain --ckpt "$made/binary-standard.safetensors" --ckpt "$made/binary-robust.safetensors" \
    --data "$made/binary-train.tar" --method weights --names standard,robust
