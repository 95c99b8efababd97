#!/usr/bin/env bash
# Trade-off for two Gaussians, Figure 2: errors against the width of the second class.
. "$(dirname "$0")/../lib.sh"
[ -e "$made/figure2.png" ] || advtool theory gaussian --sigma2 2:18:0.5 -q --json --plot "$made/figure2.png" > "$made/figure2.json"
echo "$made/figure2.png"
