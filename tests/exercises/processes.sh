# SPDX-License-Identifier: MIT
# Exercises of docs/processes.md. Words: tests/lib/exercises.sh.

# Predict, then ask.
processes_1() {
    family_waits plain 64 ""
    ask forest ' 258 +0x40800000 .* 1 2 3 5'
    ask forest ' 257 +0x40400000 .* 1 2'
    ask 'walk 3 0x40000000' 'SHARED'
    ask 'walk 3 0x40000000' 'COW'
    ask 'walk 3 0x40000000' 'a write: .*(back|without)'
    family_ends
}

# One reference, and yet shared.
processes_2() {
    family_waits plain 64 ""
    ask 'walk 2 0x40400000' 'table, references: 2,'
    ask 'walk 2 0x40400000' 'anonymous, references: 1\)'
    ask 'walk 2 0x40400000' 'a write: answered: a table of its own, then a copy of the frame'
    family_ends
}

# What is accepted is there.
processes_3() {
    family_waits plain 272 overcommit=2
    family_ends
    family_waits plain 64 ""
    family_ends
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk build/droste.elf "$image" "init=family overcommit=2" build/user/family=family
    talk_begin -boot c -drive "format=raw,snapshot=on,file=$image" -m 192 -cpu pentium3
    await 'fork: Cannot allocate memory'
    say '\003' # Ctrl-C
    await 'init: killed by signal 2'
    talk_end 255
}

# Forget to go back.
processes_4() {
    changed processes-4
    local image
    make -s test-programs
    image=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk "$(kernel plain)" "$image" "init=signal_restart" \
        build/user/tests/signal_restart=signal_restart
    talk_begin -boot c -drive "format=raw,snapshot=on,file=$image" -m 128 -cpu pentium3
    await 'not ok .*waitpid'
    await 'init: '
    wait $talk_id || true
}

# Leave the window open.
processes_5() {
    changed processes-5
    family_waits plain 64 ""
    say 'ps\n'
    await '1 +0 S .* family'
    await 'PANIC: the alternate window is open already'
    talk_end $STATUS_PANIC
}

# Kill and count.
processes_6() {
    family_waits checked 64 ""
    ask forest ' 257 +0x40400000 .* 2 +1024 +1 2'
    ask 'kill 3' 'process 3 .family. ended'
    ask forest ' 258 +0x40800000 .* 1 2 5'
    ask ps '5 +1 S .* family'
    family_ends
    found_in "$talk_log" '^audit clean'
}
