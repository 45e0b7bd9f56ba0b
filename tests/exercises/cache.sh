# SPDX-License-Identifier: MIT
# Exercises of docs/cache.md. Words: tests/lib/exercises.sh.

# Who made it dirty?
cache_1() {
    changed cache-1
    tests_fail cache \
        'cache: a page written by way of a mapping: is dirty, is written back, and is dirty again by the next write'
}

# On its way.
cache_2() {
    changed cache-2
    boot_ends $STATUS_PANIC checked test=cache 'PANIC: .* pages of a cache that ends are dirty'
}
