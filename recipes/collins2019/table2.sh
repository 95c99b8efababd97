#!/usr/bin/env bash
# Collins et al. 2019, Table 2: MNIST, linf, standard and robust training of the CNN.
. "$(dirname "$0")/common.sh"
accuracies cnn
