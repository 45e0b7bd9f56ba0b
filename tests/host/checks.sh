# SPDX-License-Identifier: MIT
# The checks of the host build (docs/testing.md), for a queue of tests/lib/queue.sh. Sourced by
# tests/run and tests/host/run.

host=build/host

host_build() {
    make -j"$(nproc)" host-programs
    echo "note: $(gcc --version | head -n 1), $(clang --version | head -n 1)"
}

# Like judge_ktap: the counts become the note.
host_self_tests() { # ARGUMENTS...
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    $host/asan/self_tests "$@" | tee "$log"
    sed -n 's/^# passed/note: passed/p' "$log"
}

host_exhaustive() { # ALPHABET LENGTH PART: every PART-th sequence, shared by all processors
    local processors part pids=()
    processors=$(nproc)
    for ((part = 0; part < processors; part++)); do
        $host/fast/exhaustive "$1" "$2" $part $((processors * $3)) &
        pids+=($!)
    done
    for part in "${pids[@]}"; do
        wait "$part"
    done
}

# A fuzzer begins with the corpus of the tree; what it finds on top stays in the build directory.
host_fuzz() { # NAME SECONDS
    local new=$host/corpus/$1 log
    mkdir -p "$new"
    log=$(mktemp "$queue_dir/XXXXXX.img")
    $host/fuzz/fuzz_"$1" -max_total_time="$2" -max_len=1000 -artifact_prefix="$host/$1-" \
        -timeout=10 -rss_limit_mb=3000 -print_final_stats=1 "$new" "tests/host/corpus/$1" \
        > "$log" 2>&1 || {
        tail -n 100 "$log"
        return 1
    }
    echo "note: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
}

host_checks() {
    [[ -z $queue_pattern || $queue_pattern == *host* ]] || return 0
    check_first host-build host_build
    check host-model $host/asan/model_test
    check host-layers $host/asan/layers_test
    check host-self-tests host_self_tests
    if [ -n "${HOST_LONG:-}" ]; then
        check host-self-tests-8-mib host_self_tests -m 8
        check host-self-tests-1200-mib host_self_tests -m 1200
        check host-self-tests-486 host_self_tests -f -m 32
        check host-panics host_self_tests -p tests/panics.txt
        check host-exhaustive host_exhaustive edges 5 1
    fi
    check host-random $host/asan/random -n "$((500 * ${RANDOM_ROUNDS:-1}))"
    check host-random-long $host/asan/random -n "$((25 * ${RANDOM_ROUNDS:-1}))" -l 2000 -s 100000
    check host-random-swap $host/asan/random -n "${RANDOM_SWAP:-40}" -l 500 -f 40
    check host-ata $host/asan/ata_test
    check host-allocation-failures $host/asan/failures
    check host-exhaustive-4 host_exhaustive edges 4 "${EXHAUSTIVE_PART:-4}"
    check host-exhaustive-swap host_exhaustive swap "${EXHAUSTIVE_SWAP:-4}" 1
    check host-ext2-random $host/ext2/ext2 -r 12 random
    check host-ext2-cuts $host/ext2/ext2 -r "$((4 * ${EXT2_ROUNDS:-1}))" -n 40 cuts
    check host-ext2-failures $host/ext2/ext2 allocations errors dead
    check host-ext2-images $host/ext2/ext2 names large hashed features state
    check host-ext2-mutated $host/ext2/ext2 -r "$((5 * ${EXT2_ROUNDS:-1}))" mutated
    check host-system-cases $host/asan/system cases
    check host-system-random $host/asan/system -r "$((2 * ${SYSTEM_ROUNDS:-1}))" -n 4000 random
    check host-system-full $host/asan/system -r "${SYSTEM_ROUNDS:-1}" full
    check host-system-failures $host/asan/system -e "${SYSTEM_STEP:-5}" allocations errors dead
    for fuzzer in operations boot_info text elf ext2 cpio; do
        check host-fuzz-$fuzzer host_fuzz $fuzzer "${FUZZ_SECONDS:-8}"
    done
}
