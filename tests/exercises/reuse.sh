# SPDX-License-Identifier: MIT
# Exercises of docs/reuse.md. Words: tests/lib/exercises.sh.

# A kernel of three layers.
reuse_1() {
    boot_ends $STATUS_PASS layer-3 test '^# passed '
}

# What layers 1 to N want from below.
wanted_by() { # N
    local objects
    objects=$(make -s sources |
        awk -v n="$1" '$1 >= 1 && $1 <= n && $2 !~ /^tests|framebuffer/ {print "build/plain/" $2 ".o"}')
    # shellcheck disable=SC2086 # a list of words
    "${cross}ld" -m elf_i386 -r -o "$queue_dir/pager-$1.img" $objects
    "$NM" -u "$queue_dir/pager-$1.img" | awk '{ print $2 }'
}

# One layer less; and the table of docs/reuse.md names what three layers want.
reuse_2() {
    local name
    diff <(wanted_by 1) <(printf '%s\n' early_map_array image_end image_start panic printk)
    for name in $(wanted_by 3); do
        grep -q "^|.*\`$name\`" docs/reuse.md || {
            echo "### docs/reuse.md does not name $name"
            return 1
        }
    done
}

# Your map.
reuse_3() {
    changed reuse-3
    wants_status 2 make -C "$tree" build/plain/mm/heap_kernel.c.o 2>&1 | tee "$tree/log"
    [ "$(grep -c 'static assertion failed' "$tree/log")" = 2 ]
}
