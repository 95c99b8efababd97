#!/usr/bin/env bash
# Ilyas et al. 2019, Tables 7, 9 and 10: what models learn from D_rand, D_det, D_R and D_NR. Needs jq.
#
#   recipes/ilyas2019-tables.sh                                     # CIFAR-10 and ResNet-50 as published; wants a GPU
#   DATA=mnist/ TRAIN="-n 10000 --arch cnn --width 0.25" N=10000 EPS=1.5 STEPS=40 EVAL=0.5,1,1.5 DISTIL="-n 4000 --steps 150" \
#     recipes/ilyas2019-tables.sh                                   # MNIST on two cores, about an hour
#
# Published, CIFAR-10, in %:
#   Tables 9 and 10        success of the builder  true test labels  labels shifted by one
#     D_rand, standard           -                   63.3
#     D_rand, robust             -                   25.2
#     D_det, standard            -                   43.7              16.2
#     D_det, robust              -                    5.8              65.5
#   Table 7                clean   l2 0.25   l2 0.5
#     D                    95.25      4.49     0.0
#     adversarial          90.83     82.48    70.90
#     D_NR                 87.68      0.82     0.0
#     D_R                  85.40     48.20    21.85
set -euo pipefail
data=${DATA:-cifar10} n=${N:-50000} eps=${EPS:-0.5} dir=${OUT:-$(mktemp -d)}
read -ra train <<< "${TRAIN:---arch resnet50}"
read -ra distil <<< "${DISTIL:-}"

accuracy() { advtool eval --json -q "$@" | jq -r '[.clean.accuracy, .adversarial[].accuracy] | map(tostring) | join(" ")'; }

advtool train --data "$data" "${train[@]}" -q -o "$dir/standard.safetensors"
advtool train --data "$data" "${train[@]}" --adv l2 --eps "$eps" -q -o "$dir/robust.safetensors"
advtool relabel --data "$data" --split test --shift 1 -q -o "$dir/shifted.tar"

echo "dataset builder success true shifted"
for builder in standard robust; do
    for rule in "rand --random" "det --shift 1"; do
        read -ra rule <<< "$rule"
        made="$dir/${rule[0]}-$builder"
        advtool relabel --data "$data" -n "$n" "${rule[@]:1}" -q |
            advtool attack --targeted --ckpt "$dir/$builder.safetensors" --adv l2 --eps "$eps" \
                --steps "${STEPS:-100}" --step-size 0.1 -q -o "$made.tar"
        success=$(accuracy --ckpt "$dir/$builder.safetensors" --data "$made.tar")
        advtool train --data "$made.tar" "${train[@]}" -q -o "$made.safetensors"
        echo "D_${rule[0]} $builder $success $(accuracy --ckpt "$made.safetensors" --data "$data")" \
            "$(accuracy --ckpt "$made.safetensors" --data "$dir/shifted.tar")"
    done
done

echo "dataset clean l2 ${EVAL:-0.25,0.5}"
robustness() { echo "$1 $(accuracy --ckpt "$2" --data "$data" --adv l2 --eps "${EVAL:-0.25,0.5}" --no-checks)"; }
robustness D "$dir/standard.safetensors"
robustness adversarial "$dir/robust.safetensors"
for builder in standard robust; do
    advtool distill --ckpt "$dir/$builder.safetensors" --data "$data" "${distil[@]}" -q -o "$dir/distilled-$builder.tar"
    advtool train --data "$dir/distilled-$builder.tar" "${train[@]}" -q -o "$dir/on-$builder.safetensors"
    robustness "distilled-$builder" "$dir/on-$builder.safetensors"
done
