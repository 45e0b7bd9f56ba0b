# SPDX-License-Identifier: MIT
# Exercises of docs/paging.md. Words: tests/lib/exercises.sh.

# By hand.
paging_1() {
    at_prompt plain 'walk 0xe0001000\n' 'table entry +1 at V0xfff80004'
}

# A window page of a shared table.
paging_2() {
    at_prompt plain 'reserve 4M\nwalk 0xffc01000\ntouch 0xffc01000\n' \
        'table entry +1 at V0xfffff004' 'a write: refused' 'V0xffc01000 may not be written'
}

# Forget INVLPG.
paging_3() {
    changed paging-3
    boot_ends $STATUS_FAIL plain "" 'cannot start: vma: the address may not be accessed so'
    boot_ends $STATUS_PANIC checked "" \
        'the event ends: an invalidation is owed for the page at V0xff440000, .*written at .*:[0-9]+'
}

# Forget the window page.
paging_4() {
    changed paging-4
    boot_ends $STATUS_PANIC plain test '^not ok' \
        'again and again: called spurious, but nothing changes'
    boot_ends $STATUS_PANIC checked test \
        'a frame is freed: an invalidation is owed for the directory entry at'
}

# Leave it open.
paging_5() {
    changed paging-5
    boot_ends $STATUS_PANIC checked test=alternate \
        'claimed: was not present: an invalidation is owed for the directory entry at V0xff800000'
}

# Push nothing.
paging_6() {
    changed paging-6
    boot_stops checked test=directory 'the kernel halves of all live directories are equal' '^not ok'
}
