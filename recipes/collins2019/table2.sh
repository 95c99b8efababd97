#!/usr/bin/env bash
# Collins et al. 2019, Table 2: MNIST, linf, standard and robust training of the CNN.
. "$(dirname "$0")/common.sh"
trained cnn standard
for eps in $(pick 0.1 "0.1 0.2 0.3" "0.1 0.2 0.3"); do
    trained cnn "$eps"
    for training in standard robust; do
        name=cnn-$([ $training = standard ] && echo standard || echo "$eps")
        report "table2-$training-$eps" advtool eval --ckpt "$made/$name.safetensors" --data "$data" -n "$(pick 50 1000 10000)" \
            --adv linf --eps "$eps" --steps "$(pick 5 50 100)" --step-size "$(pick 0.05 0.02 0.01)" --no-checks
        cell "eps $eps, $training, clean" clean.accuracy "table2-$training-$eps"
        cell "eps $eps, $training, robust" adversarial.0.accuracy "table2-$training-$eps"
    done
done
