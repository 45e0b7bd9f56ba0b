# SPDX-License-Identifier: MIT
# Exercises of docs/benchmarks.md. Words: tests/lib/exercises.sh.

# The loop's own share.
benchmarks_1() {
    local once twice
    changed benchmarks-1
    make -s -C "$tree" build/user/bench
    tools/bench-user build/droste.elf "$tree/build/user/bench" "$tree" > "$tree/log"
    row_is_between "$tree/log" null_syscall 60 75
    tools/bench-user build/droste.elf build/user/bench "$tree" > "$tree/log"
    row_is_between "$tree/log" null_syscall 30 40
}

# Who pays for `fork`.
benchmarks_2() {
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/profile build/droste.elf build/user/bench cow | tee "$log"
    said_in_order "$log" 'write_parts\+.* least [23][0-9]{2}, median 1[0-9]{3}' ' cow_write'
}
