#!/usr/bin/env bash
# Suggala et al. 2019, Figure 4: joint risk of standard training against the width of one hidden layer, MNIST, linf.
plot=(--x width --y obtained --log-x --x-label "hidden units" --y-label "joint risk")
. "$(dirname "$0")/common.sh"
data=$(mnist)
at=(--adv linf --eps 0.05 --steps "$(pick 2 10 50)" --step-size "$(pick 0.03 0.01 0.01)")
for width in $(pick "4 16" "10 25 50 100 200 400 800" "10 25 50 100 200 400 800 1600"); do
    fit=(--data "$data" -n "$(pick 200 "${N:-10000}" 60000)" --arch mlp --hidden "$width" --epochs "$(pick 2 10 20)" --label-smoothing 0)
    risks "figure4-$width" 0
    cell "$width units, joint risk" adversarial.0.risk.joint "figure4-figure4-$width" --with "width=$width"
done
