#!/usr/bin/env bash
# Collins et al. 2019, Table 3: MNIST, linf, standard and robust training of the fully connected network.
. "$(dirname "$0")/common.sh"
accuracies mlp
