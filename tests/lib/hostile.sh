# SPDX-License-Identifier: MIT
# Programs that do not end by themselves, and longer runs of those that do. Sourced by tests/run and
# tests/hostile, after queue.sh, boot.sh, user.sh and talk.sh.

# A disk to swap to: $swap, as QEMU's arguments.
make_swap() { # MIB
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s "${1}M" "$image"
    mkswap "$image" > /dev/null
    swap=(-drive "format=raw,file=$image")
}

# A program of tests/user/ with other arguments: it exits with 0, and the kernel is what it was.
hostile_run() { # MEMORY SECONDS NAME "ARGUMENTS" "OPTIONS" [SWAP]
    local log disk swap=()
    [ -z "${6:-}" ] || make_swap "$6"
    talk_disk "init=$3 $5 ${swap:+swap=hdb}" "$user_bin/$3=$3 $4"
    log=$(mktemp "$queue_dir/XXXXXX.img")
    TIME_LIMIT=$2 wants_status 129 qemu "${with_serial[@]}" "${disk[@]}" "${swap[@]}" -m "$1" -cpu pentium3 |
        tee "$log"
    found_in "$log" '^audit clean'
    echo "note: $(grep -ac '^ok' "$log") checks"
}

# A program that forks for ever: processes or memory run out, the prompt answers to its key, `ps` and
# `kill` work, and all that was taken is back (the kernel audits itself when process 1 has ended).
fork_bomb() { # MEMORY OPTIONS PROCESSES: to wait for
    talk_disk "init=hostile_forkbomb $2" $user_bin/hostile_forkbomb=hostile_forkbomb
    talk_begin "${disk[@]}" -m "$1" -cpu pentium3
    await 'init: .* starts'
    await_processes "$3"
    ask mem promises
    ask ps hostile_forkbom
    say 'resume\n'
    press_key
    say 'kill 1\nresume\n'
    talk_end 255 # killed by signal 9: more than the port can say, which then says 63
    found_in "$talk_log" '^audit clean'
}

# The same, started at the prompt: it is reached when all are dead, and memory is what it was.
fork_bomb_at_prompt() { # MEMORY PROCESSES
    talk_disk "" build/user/hello=hello $user_bin/hostile_forkbomb=hostile_forkbomb
    talk_begin "${disk[@]}" -m "$1" -cpu pentium3
    await 'droste> '
    ask 'run hello one two' 'argument 2: two'
    ask mem 'overcommit mode'
    say 'run hostile_forkbomb\n'
    await_processes "$2"
    ask 'kill all' 'processes ended; frames given back'
    ask resume 'killed by signal 9 .SIGKILL'
    ask mem 'overcommit mode'
    ask audit 'processes: 0, .*memories: 0'
    ask audit 'nothing is broken'
    say 'halt\n'
    talk_end $STATUS_HALT
    [ "$(grep -acE '^  [.A-Z] free ' "$talk_log")" = 2 ]
    [ "$(grep -aE '^  [.A-Z] free ' "$talk_log" | sort -u | wc -l)" = 1 ]
}

# More sleepers than there is memory for: the prompt answers while they come, and the audit is content.
sleepers() { # MEMORY SWAP NUMBER SECONDS
    local swap
    make_swap "$2"
    talk_disk "init=swap_sleepers swap=hdb" "$user_bin/swap_sleepers=swap_sleepers $3 wait"
    TIME_LIMIT=$4 talk_begin "${disk[@]}" "${swap[@]}" -m "$1" -cpu pentium3
    await 'init: .* starts'
    await_processes $(($3 / 2))
    say 'resume\n'
    await '^# asleep: '
    press_key
    ask swap 'tables given up: [1-9]'
    ask 'ps 3' 'zombies: 0'
    ask 'space 2' 'table in a swap slot'
    ask audit 'nothing is broken'
    say 'resume\n\n'
    talk_end 129
    found_in "$talk_log" '^ok 4'
    found_in "$talk_log" '^audit clean'
}

hostile_checks() {
    check hostile-forkbomb fork_bomb 64 "" 1000
    check hostile-forkbomb-always fork_bomb 32 overcommit=1 1000
    check hostile-forkbomb-strict fork_bomb 48 overcommit=2 30
    check hostile-sleepers sleepers 16 64 2000 300
    check hostile-forkbomb-prompt fork_bomb_at_prompt 32 1000
    local seed
    for seed in 1 2 3; do
        check hostile-code-$seed hostile_run 64 180 hostile_code "$seed 300" ""
    done
}

# What takes minutes.
hostile_long_checks() {
    local seed
    check sleepers-60000 sleepers 128 1024 60000 3600
    check many-children-60000 hostile_run 3500 900 many_children 60000 ""
    check calls-strict hostile_run 64 900 hostile_calls "7 10000" overcommit=2
    for seed in 1 2 3; do
        check calls-$seed hostile_run 64 1800 hostile_calls "$((seed * 1000000)) 20000" ""
    done
    for seed in 4 5 6; do
        check calls-swap-$seed hostile_run 16 1800 hostile_calls "$((seed * 1000000)) 20000" "" 64
        check strict-swap-$seed hostile_run 16 3600 random_strict "$seed 1000" overcommit=2 64
        check code-swap-$seed hostile_run 16 900 hostile_code "$((seed * 1000000)) 1000" "" 64
    done
    for seed in {1..30}; do
        check code-$seed hostile_run 64 900 hostile_code "$((seed * 1000000)) 1000" ""
    done
    for seed in 1 2 3 4 5 6 7 8; do
        check strict-$seed hostile_run $((16 + seed * 8)) 900 random_strict "$seed 5000" overcommit=2
    done
}
