#!/usr/bin/env bash
# Suggala et al. 2019, Figure 4: joint risk of standard training against the width of one hidden layer, MNIST, linf.
plot=(--x width --y obtained --log-x --x-label "hidden units" --y-label "joint risk")
. "$(dirname "$0")/common.sh"
capacity 0 joint
