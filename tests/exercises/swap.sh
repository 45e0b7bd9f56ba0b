# SPDX-License-Identifier: MIT
# Exercises of docs/swap.md. Words: tests/lib/exercises.sh.

# More than there is.
swap_1() {
    OPTIONS=swap=ram MEM=16 at_prompt plain 'reserve 40M\ntouch 0x400000 40M\nswap\naudit\n' \
        'wrote to 10240 of 10240 pages' ' ram +[0-9]+ +0 +0 ' 'full of zeros: [0-9]{4}' 'nothing is broken'
}

# Free before you invalidate.
swap_2() {
    changed swap-2
    boot_ends $STATUS_PANIC checked test=swap \
        'PANIC: TLB: a frame is freed: an invalidation is owed .*mm/cow_swap.c'
}

# Free before it is written.
swap_3() {
    changed swap-3
    boot_ends $STATUS_PANIC checked test=swap 'PANIC: frame [0-9]+ without owner'
}

# Back, and writable.
swap_4() {
    changed swap-4
    boot_stops checked test=swap 'an entry is either writable or copy-on-write'
}
