# SPDX-License-Identifier: MIT
# Exercises of docs/limits.md. Words: tests/lib/exercises.sh.

limits_1() {
    MEM=6144 at_prompt plain '' '^CPU ' 'frame: 3072 MiB of RAM at or above 4 GiB are left alone'
}

limits_2() {
    MEM=4 CPU=486 at_prompt plain 'mem\n' 'free +[4-9][0-9][0-9] ' 'kernel +2[0-9][0-9] ' '= all +1024'
}

limits_3() {
    MEM=8 at_prompt plain 'reserve 1G\ntouch 0x400000 16M\nrelease 0x400000\naudit\n' \
        'out of memory after [0-9]+ of 4096 pages' 'free now: 0' 'frames given back: ' \
        'nothing is broken'
}
