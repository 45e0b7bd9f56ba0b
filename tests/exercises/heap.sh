# SPDX-License-Identifier: MIT
# Exercises of docs/heap.md. Words: tests/lib/exercises.sh.

# The plain kernel knows the address, and not whose it is.
heap_1() {
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    boot_ends $STATUS_PANIC plain panic=heap-overrun \
        'PANIC: heap: V0xe[0-9a-f]+, given back by V0xc[0-9a-f]+: .*overrun' | tee "$log"
    ! grep -a 'allocated by' "$log" || return 1
    boot_ends $STATUS_PANIC checked panic=heap-overrun \
        'heap: V0xe.* is 96 bytes, allocated by [a-z_0-9]+\+0x' \
        'PANIC: heap: .* the red zone behind it was overwritten \(overrun\)'
}

# No warm pages.
heap_2() {
    changed heap-2
    tools/bench "$(kernel plain)" "$tree" heap | tee "$tree/log"
    row_is_between "$tree/log" kmalloc_4K 1300 1900
    row_is_between "$tree/log" kmalloc_32 200 350
    tools/bench build/droste.elf "$tree" heap > "$tree/log"
    row_is_between "$tree/log" kmalloc_4K 250 450
    row_is_between "$tree/log" kmalloc_32 200 350
}

# After free: noticed when the memory is handed out again.
heap_3() {
    boot_ends $STATUS_PANIC checked panic=heap-use-after-free \
        'PANIC: heap: the free block .* was written to .*use after free' ' claim\+' ' kmalloc\+'
}
