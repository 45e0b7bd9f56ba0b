# SPDX-License-Identifier: MIT
# Exercises of docs/adding.md. Words: tests/lib/exercises.sh.

# The command of the text, as it stands there. A table with one promised page of its own costs the
# zero frame nothing; one more promised page is one more reference.
adding_1() {
    local log before one two
    changed adding-1
    shown_in_docs 'COMMAND("zero"' prompt/commands_memory.c
    log=$(mktemp "$queue_dir/XXXXXX.img")
    at_prompt plain 'help\nzero\nreserve 4K\ntouch 0x1000\nzero\nreserve 8K\ntouch 0x2000\nzero\n' \
        '^ +zero ' | tee "$log"
    read -r before one two < <(numbers_said "$log" 'frame 0x0*1001: ([0-9]+) references')
    [ "$one" = "$before" ] && [ "$two" = $((before + 1)) ]
}

# The code that begins with TEXT in docs/adding.md stands in FILE as well, line by line.
shown_in_docs() { # TEXT FILE
    local shown
    shown=$(awk -v text="$1" '/^```/ { inside = 0 } index($0, text) == 1 { inside = 1 } inside' \
        docs/adding.md)
    [[ $(cat "$tree/$2") == *"$shown"* ]] && return 0
    echo "### $2 and docs/adding.md show different code"
    return 1
}

# The program on Droste: status 129 is that of all checks passed.
sched_priority() { # STATUS TEXT...
    local log
    make -s -C "$tree" build/user/tests/sched_priority
    log=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk "$(kernel plain)" "$log.disk.img" init=sched_priority \
        "$tree/build/user/tests/sched_priority=sched_priority"
    wants_status "$1" qemu "${with_serial[@]}" -m 64 -cpu pentium3 \
        -drive "format=raw,snapshot=on,file=$log.disk.img" | tee "$log"
    said_in_order "$log" "${@:2}"
}

# The program without the call, and with it.
adding_2() {
    changed adding-2a
    shown_in_docs '/* SPDX' tests/user/sched_priority.c
    sched_priority 131 'system call 159 is not known' '^not ok 1 - '
    changed adding-2b
    shown_in_docs 'SYSTEM_CALL(159' process/system_calls_misc.c
    sched_priority 129 '^ok 1 - ' '^ok 2 - '
}
