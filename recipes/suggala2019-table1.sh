#!/usr/bin/env bash
# Suggala et al. 2019, Table 1: λ of the joint objective. MNIST, 2,000 samples, three hidden layers, linf eps 0.05.
# Needs MNIST (MNIST=mnist, or a directory of shards) and jq. TRIALS, STEPS and TEST make it smaller.
#
# Published, 10 trials: λ      classification risk (sd)   adversarial risk (sd)
#                       0      .1012 (.006)               .6675 (.019)
#                       0.1    .0862 (.009)               .3063 (.013)
#                       1      .0850 (.011)               .1687 (.008)
#                       2      .1687 (.031)               .1613 (.016)
#
# Obtained with TRIALS=3 STEPS=10 TEST=2000 (Adam with a one-cycle schedule; the paper does not name its optimiser):
#                       0      .0688 (.001)               .2653 (.004)
#                       0.1    .0590 (.001)               .1360 (.003)
#                       1      .0503 (.001)               .0843 (.005)
#                       2      .0485 (.004)               .0747 (.006)
# Adversarial risk falls with λ as published. Classification risk falls up to λ = 1 and is the same at 2, within its
# deviation; it does not rise as published.
set -euo pipefail
echo "λ classification sd adversarial sd"
for lam in ${LAMBDAS:-0 0.1 1 2}; do
    advtool train --data "${MNIST:-mnist}" -n 2000 --arch mlp --hidden 512,512,320 --epochs "${EPOCHS:-20}" \
        --adv linf --eps 0.05 --steps "${STEPS:-50}" --step-size 0.01 --lam "$lam" \
        --trials "${TRIALS:-10}" --test-limit "${TEST:-0}" --json -q |
        jq -r --arg lam "$lam" '.adversarial[0].risk | [.classification, .adversarial]
            | "\($lam) \(map("\(.mean * 1e4 | round / 1e4) \(.sd * 1e4 | round / 1e4)") | join(" "))"'
done
