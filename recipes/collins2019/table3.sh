#!/usr/bin/env bash
# Collins et al. 2019, Table 3: MNIST, linf, standard and robust training of the fully connected network.
. "$(dirname "$0")/common.sh"
trained mlp standard
for eps in $(pick 0.1 "0.1 0.2 0.3" "0.1 0.2 0.3"); do
    trained mlp "$eps"
    for training in standard robust; do
        name=mlp-$([ $training = standard ] && echo standard || echo "$eps")
        report "table3-$training-$eps" advtool eval --ckpt "$made/$name.safetensors" --data "$data" -n "$(pick 50 1000 10000)" \
            --adv linf --eps "$eps" --steps "$(pick 5 50 100)" --step-size "$(pick 0.05 0.02 0.01)" --no-checks
        cell "eps $eps, $training, clean" clean.accuracy "table3-$training-$eps"
        cell "eps $eps, $training, robust" adversarial.0.accuracy "table3-$training-$eps"
    done
done
