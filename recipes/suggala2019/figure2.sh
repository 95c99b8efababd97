#!/usr/bin/env bash
# Suggala et al. 2019, Figure 2: (a) two squares, classification risk against eps; (b) CIFAR-10, risks against λ.
plot=(--x lambda --y obtained --by risk)
. "$(dirname "$0")/common.sh"
[ -e "$made/figure2a.png" ] || advtool theory mixture --case squares --eps 0:0.8:0.02 -q --json --plot "$made/figure2a.png" > "$made/figure2a.json"
echo "$made/figure2a.png"
data=$(cifar)
fit=(--data "$data" -n "$(pick 200 "${N:-5000}" 50000)")
[ "$SCALE" = smoke ] || fit+=(--arch vgg11 --width 0.25 --epochs "$(pick 2 20 100)" --lr 0.05 --schedule one-cycle)
at=(--adv linf --eps 0.03 --steps "$(pick 2 7 15)" --step-size "$(pick 0.03 0.0075 0.005)")
for lam in $(pick "0 1" "0 0.1 0.5 1 2" "0 0.1 0.5 1 2 5"); do
    risks "figure2-$lam" "$lam"
    both "figure2-$lam" "λ $lam" --with "lambda=$lam"
done
