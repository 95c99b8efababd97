#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 13: how well targeted attacks on one network transfer to others, against how well these
# learn from its D_det. NETS names them.
plot=(--x learned --y obtained --by net --kind points --percent --x-label "test accuracy after training on D_det"
    --y-label "transfer of the targeted attack")
. "$(dirname "$0")/common.sh"
relabelled standard det
nets=$(pick "mlp linear" "${NETS:-resnet18 vgg11 densenet121 preactresnet18 mobilenet_v2}" "vgg16 resnet18 inception densenet121 resnet50")
wide=$(pick "" "--schedule one-cycle --epochs ${EPOCHS:-15}" "")
[ -e "$made/figure13.tar" ] || advtool relabel --data "$data" --split test --random -q |
    advtool attack --targeted --ckpt "$made/standard.safetensors" "${attack[@]}" -q -o "$made/figure13.tar"
for net in $nets; do
    # shellcheck disable=SC2086
    model "net-$net" --data "$data" ${limit:+-n $limit} --arch "$net" $wide
    # shellcheck disable=SC2086
    model "net-$net-on-det" --data "$made/det-standard/" --arch "$net" $wide
    report "figure13-$net" advtool eval --ckpt "$made/net-$net.safetensors" --data "$made/figure13.tar" --no-checks
    report "figure13-$net-on-det" advtool eval --ckpt "$made/net-$net-on-det.safetensors" --data "$data" --no-checks
    learned=$(cells read clean.accuracy "$made/figure13-$net-on-det.json" --root "$ROOT")
    cell "$net" targeted.success.accuracy "figure13-$net" --with "net=$net" --with "learned=$learned"
done
