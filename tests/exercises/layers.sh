# SPDX-License-Identifier: MIT
# Exercises of docs/layers.md. Words: tests/lib/exercises.sh.

# An include upwards.
layers_1() {
    changed layers-1
    (cd "$tree" && make -s sources > sources.txt && wants_status 1 tools/check-includes sources.txt) \
        > "$tree/log" 2>&1
    said_in_order "$tree/log" \
        'arch/i386/paging.c \(layer 2\) includes include/mm/heap.h \(layer 5\)'
}

# A call upwards: proof 1 sees nothing, proof 2 does, and a kernel of two layers does not link.
layers_2() {
    changed layers-2
    cd "$tree"
    make -s -j2 all
    make -s sources > sources.txt
    tools/check-includes sources.txt
    sed -i '/_bench\.c$/d' sources.txt # the checked kernel has none
    wants_status 1 tools/check-links sources.txt build/checked "${cross}ld" "$NM" | tee log
    said_in_order log 'layers 0..2 want from above: kfree' 'layers 0..3 want from above: kfree' \
        'layers 0..4 want from above: kfree'
    wants_status 2 make build/layer-2.elf 2>&1 | tee log
    said_in_order log "undefined reference to .kfree'"
}

# A kernel without a prompt.
layers_3() {
    boot_ends $STATUS_HALT layer-3 "" 'this kernel has no prompt: halting'
}
