#!/usr/bin/env bash
# Collins et al. 2019, Figure 3: gradients of the fully connected network, standard and robust, on digits and on
# adversarial ones. Hoyer's measure says how sparse they are.
. "$(dirname "$0")/common.sh"
gradients mlp
