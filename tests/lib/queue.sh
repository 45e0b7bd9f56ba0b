# SPDX-License-Identifier: MIT
# A queue of checks, as many at a time as there are processors. Sourced by tests/run.
#
# A check is a command; its output is its log, its status says whether it passed. A line
# "note: TEXT" in the log is shown beside its name. A line "skip: REASON" says that it could not be made
# here: it neither passed nor failed, and is counted apart. One that is not done after CHECK_LIMIT seconds
# never will be: it is ended, and has failed.

queue_init() { # DIRECTORY [PATTERN]: only checks whose name matches PATTERN are run
    queue_dir=$1 queue_pattern=${2:-}
    queue_jobs=$(nproc)
    queue_limit=${CHECK_LIMIT:-1800}
    queue_started=()
    rm -rf "$queue_dir"
    mkdir -p "$queue_dir"
    set -m # a process group for each check, so that an interruption ends all of it
    trap 'for group in $(jobs -p); do kill -- "-$group"; done 2> /dev/null; exit 130' INT TERM
}

# Run COMMAND as check NAME: in the background, when a place is free.
check() { # NAME COMMAND...
    local name=$1
    shift
    [[ $name =~ $queue_pattern ]] || return 0
    while [ "$(jobs -rp | wc -l)" -ge "$queue_jobs" ]; do
        wait -n || true
    done
    queue_started+=("$name")
    queue_run "$name" "$@" &
}

# The same, and wait for it: for what others build upon. If it failed, that is the end.
check_first() { # NAME COMMAND...
    queue_started+=("$1")
    queue_run "$@"
    [ -e "$queue_dir/$1.ok" ] && return
    queue_finish
    exit 1
}

queue_run() { # NAME COMMAND...
    local name=$1 log=$queue_dir/$1.log started=$SECONDS result=FAILED command
    shift
    # Not as a part of `if`, `||` or `&&`, here or in a caller: there, bash ignores `set -e`.
    set -m # in a group of its own
    (
        set -e
        "$@"
    ) > "$log" 2>&1 < /dev/null &
    command=$!
    if [ $BASHPID != $$ ]; then # in the background: what waits stays in the check's group
        set +m
        trap 'kill -- "-$command" 2> /dev/null; exit 130' TERM
    fi
    if ! timeout --foreground "$queue_limit" tail --pid=$command -s 0.1 -f /dev/null; then
        kill -KILL -- "-$command"
        echo "not done after $queue_limit seconds: ended" >> "$log"
    fi
    wait $command && result=ok
    [ $result = ok ] && grep -aq '^skip: ' "$log" && result=skipped
    # One writer at a time, so that the log of a failure stays in one piece.
    (
        flock 9
        printf '%-8s%s (%d s)%s\n' "$result" "$name" $((SECONDS - started)) \
            "$(sed -nE 's/^(note|skip): /: /p' "$log" | tr -d '\r' | tr '\n' ' ')"
        if [ $result != FAILED ]; then
            touch "$queue_dir/$name.$result"
        else
            echo "------ $log"
            tr -d '\r' < "$log" | queue_excerpt
            echo "------"
        fi
    ) 9> "$queue_dir/.lock"
}

# Of a log: each failed self-test with the ten lines before it, then the end.
queue_excerpt() {
    awk '{ line[NR] = $0 }
        /^not ok/ { for (i = NR - 10; i <= NR; i++) wanted[i] = 1 }
        END {
            for (i = 1; i <= NR; i++) {
                if (wanted[i] || i > NR - 30) print line[i]
                else if (wanted[i - 1] || i == 1) print "[...]"
            }
        }'
}

# Wait for all; the closing line. Returns 1 if one failed.
queue_finish() {
    wait
    local name passed=0 failed=0 skipped=0
    for name in "${queue_started[@]}"; do
        if [ -e "$queue_dir/$name.ok" ]; then
            passed=$((passed + 1))
        elif [ -e "$queue_dir/$name.skipped" ]; then
            skipped=$((skipped + 1))
        else
            failed=$((failed + 1))
        fi
    done
    rm -f "$queue_dir"/*.ok "$queue_dir"/*.skipped "$queue_dir"/*.img "$queue_dir/.lock"
    [ $skipped = 0 ] && echo "$passed passed, $failed failed" ||
        echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed = 0 ]
}
