#!/usr/bin/env bash
# Suggala et al. 2019, Figure 5: classification risk of adversarial training against the width of one hidden layer, MNIST, linf.
plot=(--x width --y obtained --log-x --x-label "hidden units" --y-label "classification risk")
. "$(dirname "$0")/common.sh"
capacity 1 classification
