#!/usr/bin/env bash
# Collins et al. 2019, Figure 1: gradients of the CNN, standard and robust, on digits and on
# adversarial ones. Hoyer's measure says how sparse they are.
. "$(dirname "$0")/common.sh"
gradients cnn
