# Networks and radii that the recipes of Tsipras et al. 2018 share (their appendix).
. "$(dirname "$0")/../lib.sh"
declare -A images=([mnist]=$(mnist) [cifar]=$(cifar) [restricted]=${RESTRICTED:-})
declare -A net=(
    [mnist]=$(pick "-n 500 --epochs 3" "-n ${N:-10000} --arch cnn --width 0.25 --epochs ${EPOCHS:-5}" "--arch cnn")
    [cifar]=$(pick "-n 500 --epochs 3" "-n ${N:-10000} --arch resnet-tsipras --schedule one-cycle --epochs ${EPOCHS:-8}" "--arch resnet-tsipras")
    [restricted]=$(pick "" "${NET:---arch resnet18 --width 0.25 --epochs 10}" "--arch resnet50 --size 224")
)
declare -A printed=([mnist-linf]=0.3 [mnist-l2]=1.5 [cifar-linf]=4/255 [cifar-l2]=80/255 [restricted-linf]=0.005 [restricted-l2]=1)

trained() { # mnist, cifar or restricted; none or NORM; EPS
    local name=$1-$2${3:+-${3/\//of}}
    # shellcheck disable=SC2086
    if [ "$2" = none ]; then
        model "$name" --data "${images[$1]}" ${net[$1]}
    else
        model "$name" --data "${images[$1]}" ${net[$1]} --adv "$2" --eps "$3" --random-start --test-limit 1
    fi
    checkpoint=$made/$name.safetensors
}

rows() { # SET: a standard model and those of the printed radii, as options of explain
    models=() names=standard
    trained "$1" none
    models+=(--ckpt "$checkpoint")
    for norm in linf l2; do
        trained "$1" $norm "${printed[$1-$norm]}"
        models+=(--ckpt "$checkpoint") names+=",$norm"
    done
}
