# SPDX-License-Identifier: MIT
# Exercises of docs/faults.md. Words: tests/lib/exercises.sh.

# Other ends.
faults_1() {
    boot_ends $STATUS_PANIC plain panic=stack-overflow 'PANIC: .*double fault'
    boot_ends $STATUS_PANIC plain panic=write-rodata 'PANIC: page fault: kernel write to a protected'
    boot_ends $STATUS_PANIC plain panic=null-call 'PANIC: page fault: kernel fetch from a not-present'
    boot_ends $STATUS_PANIC plain panic=fault-outside-region 'PANIC: page fault' 'region: none'
}

# One bit for both marks.
faults_2() {
    changed faults-2
    tests_fail '' 'cow: a store into the window page of a shared table: is refused by its entry alone'
    boot_ends $STATUS_PANIC plain panic=store-zero-table \
        'kernel write to a protected page at V0xffd00000, in the paging windows'
}

# Everything is spurious.
faults_3() {
    changed faults-3
    boot_ends $STATUS_PANIC plain panic=fault-outside-region \
        'again and again: called spurious, but nothing changes'
}
