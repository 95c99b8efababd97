# What all recipes share. A recipe begins with:  . "$(dirname "$0")/../lib.sh"
#
#   SCALE=smoke|small|paper   seconds on data that is always there, hours on two cores, the paper's own settings
#   SEEDS=0,1,2               runs of everything random; cells are their means
#   CIFAR10, MNIST, …         where data lie, if not where advtool looks for them
#   OUT=DIR                   what is made, and kept: a second run goes on from it
#
# A recipe of a figure sets `plot`, the options of `advtool plot` for its cells, before that.
#
# It ends with the table: published, obtained with its interval, difference, within the tolerance or not. The same as lines
# of JSON lies in recipes/results/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
paper=$(basename "$(cd "$(dirname "$0")" && pwd)") item=$(basename "$0" .sh)
export SCALE=${SCALE:-small} SEEDS=${SEEDS:-0} ROOT=${OUT:-recipes-made/$SCALE}
python=${PYTHON:-python3}
command -v advtool > /dev/null || advtool() { "$python" -m advtool "$@"; }

cells() { "$python" "$here/cells.py" "$@"; }

if [ -z "${SEED:-}" ]; then # once for every seed, then the table
    begun=$SECONDS
    for seed in ${SEEDS//,/ }; do SEED=$seed bash "$0"; done
    cells show "$paper" "$item" --root "$ROOT" --seconds $((SECONDS - begun))
    if [ -n "${plot[*]:-}" ]; then
        advtool plot "$ROOT/$paper/$item.cells.jsonl" "${plot[@]}" -q -f -o "$ROOT/$paper/$item.png"
        echo "$ROOT/$paper/$item.png"
    fi
    exit
fi
made=$ROOT/$paper/seed-$SEED
mkdir -p "$made"

pick() { # SMOKE SMALL PAPER: the one for the scale
    case $SCALE in smoke) echo "$1" ;; small) echo "$2" ;; paper) echo "$3" ;; *) echo "no scale $SCALE" >&2 && exit 2 ;; esac
}
cifar() { pick patterns "${CIFAR10:-cifar10}" "${CIFAR10:-cifar10}"; }
mnist() { pick digits "${MNIST:-mnist}" "${MNIST:-mnist}"; }

model() { # NAME, options of train: a checkpoint, made once
    local file=$made/$1.safetensors
    [ -e "$file" ] && return
    echo "$paper $item: training $1" >&2
    advtool train "${@:2}" --seed "$SEED" -q --resume -o "$file"
}

shards() { # NAME, command and options: a set of images, made once
    [ -e "$made/$1.done" ] && return
    echo "$paper $item: making $1" >&2
    "${@:2}" -q --seed "$SEED" --shard-size 2500 --resume -o "$made/$1/" && touch "$made/$1.done"
}

towards() { # RULE, options of attack: images pushed towards other labels, those of `relabel RULE` on $data
    local rule
    read -ra rule <<< "$1"
    [ "${rule[0]}" = --random ] && rule+=(--seed "$SEED")
    advtool relabel --data "$data" ${limit:+-n "$limit"} "${rule[@]}" -q | advtool attack --targeted "${@:2}"
}

report() { # NAME, command and options: its JSON, made once
    [ -e "$made/$1.json" ] && return
    "${@:2}" --json -q > "$made/$1.json.part" && mv "$made/$1.json.part" "$made/$1.json"
}

measure() { # ROW, NAME of a checkpoint, options of eval: cells of a row, "ROW, clean" and "ROW, l2 0.25"
    local name=$item-$(echo "$1" | tr -cs 'A-Za-z0-9' -)
    report "$name" advtool eval --ckpt "$made/$2.safetensors" --no-checks "${@:3}"
    cells add "$paper" "$item" "$1" "$made/$name.json" --root "$ROOT"
}

cell() { # CELL, PATH in a report, its NAME, --with NAME=VALUE for figures
    cells value "$paper" "$item" "$1" "$2" "$made/$3.json" --root "$ROOT" "${@:4}"
}

picture() { # NAME, command and options that draw $made/NAME.png; what they report is $made/NAME.json
    [ -e "$made/$1.png" ] || "${@:2}" -q -o "$made/$1.png" > "$made/$1.json"
    echo "$made/$1.png"
}
