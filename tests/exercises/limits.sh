# SPDX-License-Identifier: MIT
# Exercises of docs/limits.md. Words: tests/lib/exercises.sh.

limits_1() {
    MEM=6144 at_prompt plain '' '^CPU ' 'frame: 3072 MiB of RAM at or above 4 GiB are left alone'
}

# The kinds add up to 4 MiB; most of what is not free is the kernel's, and there is room left.
limits_2() {
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    MEM=4 CPU=486 at_prompt plain 'mem\n' ' free ' ' kernel ' '= all +1024 ' | tee "$log"
    tr -d '\r' < "$log" | awk '$3 ~ /^[0-9]+$/ && $5 == "KiB" && $2 != "all" { frames[$2] = $3; sum += $3 }
        END { rest = sum - frames["free"]
              exit !(sum == 1024 && frames["free"] > 256 && 2 * frames["kernel"] > rest) }'
}

limits_3() {
    MEM=8 at_prompt plain 'reserve 1G\ntouch 0x400000 16M\nrelease 0x400000\naudit\n' \
        'out of memory after [0-9]+ of 4096 pages' 'free now: 0' 'frames given back: ' \
        'nothing is broken'
}
