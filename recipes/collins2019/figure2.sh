#!/usr/bin/env bash
# Collins et al. 2019, Figure 2: weights against bias in the modified Bernoulli model, and the threshold τ* below which robust
# training gives none.
. "$(dirname "$0")/../lib.sh"
[ -e "$made/figure2.png" ] || advtool theory bernoulli -q --json --plot "$made/figure2.png" > "$made/figure2.json"
echo "$made/figure2.png"
