#!/usr/bin/env bash
# Trade-off for two Gaussians, Figure 1: the densities, and where each training puts its boundaries.
. "$(dirname "$0")/../lib.sh"
[ -e "$made/figure1.png" ] || advtool theory gaussian --sigma1 3 --sigma2 6 -q --json --plot "$made/figure1.png" > "$made/figure1.json"
echo "$made/figure1.png"
