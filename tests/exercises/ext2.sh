# SPDX-License-Identifier: MIT
# Exercises of docs/ext2.md. Words: tests/lib/exercises.sh.

# Behind some write e2fsck -p has a question, about what TEXT says.
cuts_ask() { # TEXT
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    make -s -j2 -C "$tree" build/host/ext2/ext2 >&2 || return 1
    if "$tree/build/host/ext2/ext2" -s 1 -r 2 -n 40 cuts > "$log" 2>&1; then
        echo "### e2fsck asks nothing"
        return 1
    fi
    cat "$log"
    grep -q "$1" "$log" && grep -q 'RUN fsck MANUALLY' "$log"
}

# The record before the name.
ext2_1() {
    changed ext2-1
    cuts_ask 'Unconnected directory inode'
}

# The old name before the new one.
ext2_2() {
    changed ext2-2
    cuts_ask 'Unattached inode'
}
