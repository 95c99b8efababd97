#!/usr/bin/env bash
# Suggala et al. 2019, Table 2: λ of the joint objective. CIFAR-10, 2,000 samples, reduced VGG11, linf eps 0.01.
. "$(dirname "$0")/common.sh"
data=$(cifar)
fit=(--data "$data" "${few[@]}")
[ "$SCALE" = smoke ] || fit+=(--arch vgg11 --width 0.25 --epochs "$(pick 2 40 100)" --lr 0.05 --schedule one-cycle)
at=(--adv linf --eps 0.01 --steps "$(pick 2 7 15)" --step-size "$(pick 0.01 0.0025 0.005)")
for lam in $(pick "0 1" "$lambdas" "$lambdas"); do
    risks "table2-$lam" "$lam"
    both "table2-$lam" "λ $lam"
done
