#!/usr/bin/env bash
# Suggala et al. 2019, Figure 5: classification risk of adversarial training against the width of one hidden layer, MNIST, linf.
plot=(--x width --y obtained --log-x --x-label "hidden units" --y-label "classification risk")
. "$(dirname "$0")/common.sh"
data=$(mnist)
at=(--adv linf --eps 0.05 --steps "$(pick 2 10 50)" --step-size "$(pick 0.03 0.01 0.01)")
for width in $(pick "4 16" "10 25 50 100 200 400 800" "10 25 50 100 200 400 800 1600"); do
    fit=(--data "$data" -n "$(pick 200 "${N:-10000}" 60000)" --arch mlp --hidden "$width" --epochs "$(pick 2 10 20)" --label-smoothing 0)
    risks "figure5-$width" 1
    cell "$width units, classification risk" adversarial.0.risk.classification "figure5-figure5-$width" --with "width=$width"
done
