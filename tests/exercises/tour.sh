# SPDX-License-Identifier: MIT
# Exercises of docs/tour.md. Words: tests/lib/exercises.sh.

# Predict, then ask.
tour_1() {
    at_prompt plain 'reserve 9M\ntouch 0x400000\nwalk 0xc00000\ntouch 0xc00000\nwalk 0xc00000\n' \
        'reserved V0x00400000 to V0x00cfffff' 'page faults: 1; frames taken: 2 ' 'not present' \
        'page faults: 2; frames taken: 2 ' 'table, references: 1, entries in use: 256'
}

# A table shared by 256 slots.
tour_2() {
    local log before after
    log=$(mktemp "$queue_dir/XXXXXX.img")
    at_prompt plain 'reserve 4M\nwalk 0x400000\nreserve 1G\nwalk 0x400000\n' | tee "$log"
    read -r before after < <(sed -nE 's/.*table in frame .*references: ([0-9]+).*/\1/p' "$log" | xargs)
    [ $((after - before)) = 256 ]
}

# Out of memory.
tour_3() {
    MEM=8 at_prompt plain 'reserve 1G\ntouch 0x400000 16M\nrelease 0x400000\nmem\n' \
        'out of memory after [0-9]+ of 4096 pages' 'frames given back: ' 'free +1[56][0-9][0-9] '
}
