#!/usr/bin/env bash
# Every recipe, or those of one paper: recipes/all.sh [PAPER]. Goes on where it was interrupted. JOBS papers at a time.
set -uo pipefail
export SCALE=${SCALE:-small}
export OUT=${OUT:-$PWD/recipes-made/$SCALE}
cd "$(dirname "$0")"

paper() { # NAME
    local failed=0 recipe
    for recipe in "$1"/*.sh; do
        [ "$(basename "$recipe")" = common.sh ] && continue
        bash "$recipe" || { echo "$recipe failed" >&2; failed=1; }
        echo
    done
    return $failed
}
export -f paper
papers=("${1:-}")
[ -n "${1:-}" ] || mapfile -t papers < <(for common in */table1.sh */table7.sh; do dirname "$common"; done; echo tsipras2018)
printf '%s\n' "${papers[@]}" | sort -u | xargs -P "${JOBS:-1}" -I{} bash -c 'paper {}'
