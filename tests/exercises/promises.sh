# SPDX-License-Identifier: MIT
# Exercises of docs/promises.md. Words: tests/lib/exercises.sh.

# Edit one table only.
promises_1() {
    changed promises-1
    boot_ends $STATUS_FAIL checked test=cow 'two sides, every sequence of four writes'
}

# Never take, always copy.
promises_2() {
    changed promises-2
    tests_fail cow 'cow: the last owner after a copy: takes back what is counted once' \
        'cow: a write by the sole owner: the pages behind are taken back with it'
}

# Predict the frames.
promises_3() {
    local log before after
    log=$(mktemp "$queue_dir/XXXXXX.img")
    at_prompt plain \
        'faults\nreserve 16M\ntouch 0x400000\ntouch 0x401000\ntouch 0x800000 8M\nfaults\n' \
        'frames taken: 0;' 'frames taken: 2 ' 'frames taken: 1 ' 'frames taken: 2050 ' | tee "$log"
    read -r before after < <(numbers_said "$log" ' ([0-9]+) cleared')
    [ $((after - before)) = 2050 ] || return 1
    read -r before after < <(numbers_said "$log" ' ([0-9]+) filled')
    [ $((after - before)) = 3 ]
}
