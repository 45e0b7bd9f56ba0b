# SPDX-License-Identifier: MIT
# Power cuts in a boot: a program works on an ext2, QEMU logs each write that reaches the disk, and
# tests/host/ext2/replay.c cuts the power behind each block of them. Sourced by tests/run and tests/cuts, after
# queue.sh and boot.sh.

# What is free on the disk is not zeros.
cuts_make() { # FILE BLOCK-BYTES KIB
    head -c "$3K" /dev/zero | tr '\0' '\377' > "$1"
    mke2fs -q -F -t ext2 -E nodiscard -b "$2" -N 200 "$1" "$3K"
}

# A workload by SEED, then at most CUTS cuts, and so many out of order.
power_cuts() { # SEED OPERATIONS BLOCK-BYTES CUTS DISORDERED [QEMU-ARGUMENTS...]
    local seed=$1 operations=$2 block=$3 cuts=$4 disordered=$5 work boot
    shift 5
    work=$(mktemp -d "$queue_dir/XXXXXX.dir")
    boot=$work/boot.img
    cuts_make "$work/before" "$block" $((block == 1024 ? 1024 : 2048))
    cp "$work/before" "$work/disk"
    : > "$work/log"
    tools/disk build/droste-checked.elf "$boot" init=power_cuts \
        "$user_bin/power_cuts=power_cuts $seed $operations"
    run_and_find 129 '^# [0-9]+ promises' '^init: exited with status 0' '^audit clean' -- -boot c \
        -m 64 -cpu pentium3 -drive "format=raw,snapshot=on,file=$boot" \
        -blockdev "driver=file,filename=$work/disk,node-name=data" \
        -blockdev "driver=file,filename=$work/log,node-name=log" \
        -blockdev driver=blklogwrites,node-name=logged,file=data,log=log \
        -device ide-hd,drive=logged,bus=ide.0,unit=1 "$@"
    $host/ext2/ext2 -s "$seed" -i "$work/before" -l "$work/log" -b "$block" -n "$cuts" \
        -r "$disordered" replay
    rm -rf "$work"
}

# All of them, with more seeds.
cuts_long_checks() {
    local block seed
    check_first build-store store_build
    for seed in 1 2 3; do
        for block in 1024 2048 4096; do
            check power-cuts-$block-seed-$seed power_cuts $seed 120 $block 100000 1500
        done
    done
    check power-cuts-1024-pio power_cuts 7 120 1024 100000 1500 -M isapc
}
