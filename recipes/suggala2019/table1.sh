#!/usr/bin/env bash
# Suggala et al. 2019, Table 1: λ of the joint objective. MNIST, 2,000 samples, three hidden layers, linf eps 0.05.
. "$(dirname "$0")/common.sh"
data=$(mnist) fit=(--data "$(mnist)" "${few[@]}" "${three[@]}")
at=(--adv linf --eps 0.05 --steps "$(pick 2 10 50)" --step-size "$(pick 0.03 0.01 0.01)")
for lam in $(pick "0 1" "$lambdas" "$lambdas"); do
    risks "table1-$lam" "$lam"
    both "table1-$lam" "λ $lam"
done
