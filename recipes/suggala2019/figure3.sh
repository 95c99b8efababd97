#!/usr/bin/env bash
# Suggala et al. 2019, Figure 3: MNIST, risks against λ, one hidden layer at eps 0.05 (a) and three at eps 0.03 (b).
plot=(--x lambda --y obtained --by risk --panels net)
. "$(dirname "$0")/common.sh"
data=$(mnist) all=(-n "$(pick 200 "${N:-10000}" 60000)")
for net in one three; do
    [ $net = one ] && shape=(--arch mlp --hidden "$(pick 20 400 400)" --epochs "$(pick 2 10 20)" --label-smoothing 0) eps=0.05 ||
        { shape=("${three[@]}") eps=0.03; }
    fit=(--data "$data" "${all[@]}" "${shape[@]}")
    at=(--adv linf --eps $eps --steps "$(pick 2 10 50)" --step-size "$(pick 0.03 0.01 0.01)")
    for lam in $(pick "0 1" "0 0.1 0.5 1 2" "0 0.1 0.5 1 2 5"); do
        risks "figure3-$net-$lam" "$lam"
        both "figure3-$net-$lam" "$net, λ $lam" --with "lambda=$lam" --with "net=$net"
    done
done
