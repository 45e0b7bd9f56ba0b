# SPDX-License-Identifier: MIT
# Conversations with a machine that runs: what is said is waited for, not slept for. Sourced by
# tests/run and tests/hostile, after queue.sh and boot.sh.

# A machine whose serial line is written to $talk_log, and reads what `say` says.
talk_begin() { # QEMU-ARGUMENTS...
    talk_log=$(mktemp "$queue_dir/XXXXXX.img")
    talk_seen=0
    mkfifo "$talk_log.pipe"
    qemu "${with_serial[@]}" "$@" < "$talk_log.pipe" > "$talk_log" &
    talk_id=$!
    exec 8> "$talk_log.pipe"
    rm "$talk_log.pipe"
}

say() { # TEXT, for printf
    # shellcheck disable=SC2059
    printf "$1" >&8
}

# Wait until TEXT (an extended regular expression) is said after what was awaited before.
await() { # TEXT
    local place
    while :; do
        place=$(tail -c +$((talk_seen + 1)) "$talk_log" | grep -aobE -m 1 -- "$1" | head -n 1) ||
            true # not yet; or tail was cut short
        [ -n "$place" ] && break
        if ! kill -0 $talk_id 2> /dev/null; then
            cat "$talk_log"
            echo "### the machine ended before it said: $1"
            return 1
        fi
        sleep 0.05
    done
    talk_seen=$((talk_seen + ${place%%:*} + 1))
}

talk_end() { # STATUS
    wants_status "$1" wait $talk_id
    exec 8>&-
    tail -n 30 "$talk_log"
}

# For a machine that does not end by itself.
talk_kill() {
    kill $(cat /proc/$talk_id/task/$talk_id/children)
    wait $talk_id || true
}

# The key of the prompt; it may come while a program writes.
press_key() {
    say '\035'
    await 'droste> '
}

# One line at the prompt: its answer holds TEXT.
ask() { # LINE TEXT
    say "$1\n"
    await "$2"
    await 'droste> '
}

# Let the programs run until there are so many; then the prompt is open.
await_processes() { # NUMBER
    local number
    press_key
    while :; do
        ask 'ps 1' 'zombies: '
        number=$(grep -aoE '^ +=  *[0-9]+' "$talk_log" | tail -n 1 | grep -oE '[0-9]+')
        [ "$number" -ge "$1" ] && break
        say 'resume\n'
        sleep 0.2 # only so that the prompt is not reached too often
        press_key
    done
}

# ---- sessions ----

# A disk that starts the checked kernel, with programs beside it: $disk, as QEMU's arguments.
talk_disk() { # "COMMAND LINE" MODULE..., as tools/disk has them
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk build/droste-checked.elf "$image" "$@"
    disk=(-boot c -drive "format=raw,snapshot=on,file=$image")
}

# A family of processes is looked at while it waits, loses a member, and goes on.
family_at_prompt() {
    talk_disk init=family build/user/family=family
    talk_begin "${disk[@]}" -m 64 -cpu pentium3
    await '^all wait'
    press_key
    ask ps '2 +1 S .* family'
    ask 'maps 2' '08048000-.* r--p .* /family'
    ask 'maps 2' '\[heap\]'
    ask 'maps 2' 'rw-s '
    ask 'maps 2' '\[stack\]'
    ask 'space 2' '0x40000000  o'
    ask 'space 1 256' '4 KiB each'
    ask forest ' 258 +0x40800000 .* 1 2 3 [45]' # the grandchild may come before the one who has ended
    ask 'walk 2 0x08048000' 'page 0 of /family: clean, mapped [1-9]'
    ask 'walk 2 0x08048000' 'a write: refused'
    ask 'walk 2 0x40400000' 'a write: answered'
    ask 'walk 9 0x08048000' 'there is no process 9'
    ask 'kill 2' 'process 2 .family. ended; frames given back: [1-9]'
    ask forest ' 258 +0x40800000 .* 1 3 [45]'
    ask audit 'nothing is broken'
    say 'resume\n\n' # and Enter, which the family waits for
    await '^all have ended'
    talk_end 129
    found_in "$talk_log" '^audit clean'
}

# Programs are started at the prompt, one after another; names and numbers may be wrong.
run_at_prompt() {
    talk_disk "" build/user/hello=hello build/user/segv=segv build/user/lines=lines
    talk_begin "${disk[@]}" -m 64 -cpu pentium3
    await 'droste> '
    ask resume 'there are no processes'
    ask 'run nobody' 'there is no such file'
    ask 'run hello one two' 'hello: exited with status 2'
    ask 'run segv' 'segv: exited with status 0'
    say 'run lines\none\ntwo\n\004'
    await 'lines: exited with status 2'
    await 'droste> '
    ask 'kill 1' 'there is no process 1'
    ask ps 'zombies: 0'
    ask audit 'nothing is broken'
    say 'halt\n'
    talk_end $STATUS_HALT
}

# A disk of N MiB to swap to beside $disk, which is hdb.
talk_swap() { # MIB
    talk_swap_image=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s "${1}M" "$talk_swap_image"
    mkswap "$talk_swap_image" > /dev/null
    disk+=(-drive "format=raw,file=$talk_swap_image")
}

# What goes out is seen a line a second, until a key that no program gets; twice, and with the prompt's own key.
watch_at_prompt() {
    local key
    talk_disk "init=pressure swap=hdb" "build/user/pressure=pressure 24 100000"
    talk_swap 64
    talk_begin "${disk[@]}" -m 16 -cpu pentium3
    await '^read: .* part 1 of 8'
    press_key
    ask mem 'swap: 65532 KiB, of which used [1-9]'
    ask swap 'written: [1-9][0-9]* pages in [1-9][0-9]* requests, [0-9]+ each; read'
    for key in 'x' '\035' '\n'; do
        say 'watch\n'
        await 'any key ends it'
        await 'PAGES IN +OUT +TO WRITE +FAULTS +WAITING +TABLES SEEN +FREE FRAMES'
        await '^ +[1-9][0-9]* +[1-9][0-9]* +[1-9][0-9]* +[1-9][0-9]* +[0-9]+ +[1-9][0-9]* +[0-9]+'
        say "$key"
        await 'processes frozen'
        await 'droste> '
    done
    ask ps 'zombies: 0'
    ask audit 'nothing is broken'
    ask 'kill 1' 'process 1 .pressure. ended'
    say 'halt\n'
    talk_end $STATUS_HALT
    rm -f "$talk_swap_image"
}

# A page that is out, as the prompt draws and tells it: two entries name its slot.
walk_of_what_is_out() {
    talk_disk "init=swap_walk swap=hdb" "$user_bin/swap_walk=swap_walk"
    talk_swap 64
    talk_begin "${disk[@]}" -m 32 -cpu pentium3
    await '^it is out'
    press_key
    ask 'walk 1 0x50000000' \
        'the page is out: on hdb, slot [1-9][0-9]*, shared by 2 entries; a read brings it back for all'
    ask 'walk 3 0x50000000' 'a read: +answered: the page is brought back'
    ask 'space 1 320' '0x50000000  wz'
    ask 'kill 3' 'process 3 .swap_walk. ended'
    ask 'walk 2 0x50000000' 'of one entry; a read brings it back'
    ask 'kill all' 'processes ended'
    say 'halt\n'
    talk_end $STATUS_HALT
    rm -f "$talk_swap_image"
}

# N characters that no program reads, lines of 50.
burst() { # N
    [ "$1" = 0 ] || printf '%*s' "$1" '' | sed 's/\(.\{49\}\) /\1\\n/g' | tr ' ' x
}

# The key is pressed behind bursts that nobody reads, of which none, a part or all find room. What
# came before it is not the prompt's; what comes behind it is.
key_in_burst() {
    local before
    talk_disk "" "$user_bin/hostile_deaf=deaf"
    talk_begin "${disk[@]}" -m 64 -cpu pentium3
    await 'droste> '
    say 'run deaf\n'
    await '^deaf'
    for before in 0 1 16 17 255 257 3900 4000 4300 4400 10000; do
        say "$(burst $before)\035ps\n"
        await 'processes frozen'
        await 'zombies: 0'
        await 'droste> '
        say 'resume\n\035' # the key at once: no burst, and nothing left of the last one
        await 'processes frozen'
        ask 'ps' 'zombies: 0'
        say 'resume\n'
    done
    press_key
    ask 'kill 1' 'process 1 .deaf. ended'
    ask resume 'killed by signal 9'
    say 'halt\n'
    talk_end $STATUS_HALT
    found_in "$talk_log" '^.input is lost: it comes faster'
    ! grep -a 'unknown command' "$talk_log"
}

# A break on the line is that key, too: alone, and while lines wait that nobody reads.
break_on_line() {
    local before with_serial=(-chardev stdio,id=line,signal=off,mux=on -serial chardev:line)
    talk_disk "" "$user_bin/hostile_deaf=deaf"
    talk_begin "${disk[@]}" -m 64 -cpu pentium3
    await 'droste> '
    say 'run deaf\n'
    await '^deaf'
    for before in 0 100 4400; do
        say "$(burst $before)\001b" # what QEMU's multiplexer makes a break of
        await 'processes frozen'
        await 'droste> '
        ask ps 'zombies: 0'
        say 'resume\n'
    done
    say '\001b'
    await 'droste> '
    ask 'kill 1' 'process 1 .deaf. ended'
    ask resume 'killed by signal 9'
    say 'halt\n'
    talk_end $STATUS_HALT
}

talk_checks() {
    check prompt-family family_at_prompt
    check prompt-run run_at_prompt
    check prompt-watch watch_at_prompt
    check prompt-walk-out walk_of_what_is_out
    check prompt-key-in-burst key_in_burst
    check prompt-break break_on_line
}
