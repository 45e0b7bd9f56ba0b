# SPDX-License-Identifier: MIT
# Exercises of docs/boot.md. Words: tests/lib/exercises.sh.

# No self-reference.
boot_1() {
    changed boot-1
    boot_ends $STATUS_PANIC plain "" '^up: frame' \
        'kernel read of a not-present page at V0xfffffd00, in the paging windows' ' paging_map\+'
}

# No identity mapping.
boot_2() {
    local image log
    changed boot-2
    image=$(mktemp "$queue_dir/XXXXXX.img") log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/floppy "$(kernel plain)" "$image" ""
    QEMU_ARGS="-no-reboot -d int,cpu_reset -D $log" timeout -k 5 "$TIME_LIMIT" \
        tools/run terminal "$image" < /dev/null > "$log.said"
    if grep -a Droste "$log.said"; then
        return 1
    fi
    tail -n 80 "$log"
    said_in_order "$log" ' v=0e .* pc=00100063 .* CR2=00100063' ' v=08 ' 'Triple fault'
}

# Another loader.
boot_3() {
    run_and_find $STATUS_FAIL "not started by a multiboot2 boot loader" \
        -- -m 64 -kernel build/wrong-magic.elf
}

# Watch it.
boot_4() {
    local log
    if ! command -v gdb > /dev/null; then
        echo "note: no gdb: left out"
        return 0
    fi
    log=$(mktemp "$queue_dir/XXXXXX.img")
    printf 'info registers cr3 eip\nbt\nkill\nquit\n' | timeout -k 5 "$TIME_LIMIT" make -s debug |
        tee "$log"
    said_in_order "$log" 'kernel_entry \(' 'cr3 +0x[0-9a-f]+' 'eip +0xc01' '#0 +kernel_entry'
}
