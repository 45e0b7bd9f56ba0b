# SPDX-License-Identifier: MIT
# Running the benchmark program (user/bench/) on Droste and on Linux. Sourced by tools/bench*.
#
# "counted": -icount shift=0, where the time-stamp counter advances by 1 an instruction and two runs
# agree; "timed": plain TCG, host cycles, good for ratios of two runs on the same machine only.

bench_memory=512
bench_flags() { # counted|timed: sets $flags
    flags=(-accel tcg -cpu pentium3 -m "$bench_memory" -nic none -display none -monitor none
        -no-reboot)
    [ "$1" = counted ] && flags+=(-icount shift=0,sleep=off -rtc base=2026-01-01,clock=vm)
    return 0
}

# The rows of a log: "NAME VALUE UNIT"; a refused one as "NAME - errno=N". The kernel says itself how
# long it took to process 1.
bench_rows() { # LOG
    tr -d '\r' < "$1" | awk '
        /^init: .* cycles after kernel entry$/ { print "boot_instructions", $(NF - 4), "cyc" }
        NF == 3 && $1 ~ /^[a-z][A-Za-z0-9_]*$/ && $2 ~ /^-?[0-9.]+$/ {
            print $1, $2 < 0 ? "-" : $2, $3 }'
}

bench_is_whole() { # LOG STATUS
    grep -q '^end_tsc ' "$1" && return 0
    tail -n 30 "$1" >&2
    echo "$(basename "$0"): the benchmark did not come to its end; QEMU's status was $2" >&2
    return 1
}

bench_on_droste() { # counted|timed KERNEL PROGRAM LOG [OPTION WORD]: of the kernel, of the program
    local image=${4%.log}.img status=0 flags
    bench_flags "$1"
    "$(dirname "${BASH_SOURCE[0]}")/../floppy" "$2" "$image" "init=bench${5:+ $5}" "$3=bench${6:+ $6}" || return 1
    timeout -k 5 600 qemu-system-i386 "${flags[@]}" -boot a \
        -device isa-debug-exit,iobase=0xf4,iosize=4 \
        -drive "if=floppy,format=raw,readonly=on,file=$image" -serial "file:$4" < /dev/null ||
        status=$?
    bench_is_whole "$4" $status
}

# Without what makes Linux slower or its rows vary: guards against CPU bugs, huge pages, random
# addresses. On a busy host its check of the timer fails, and then it does not boot: none.
bench_on_linux() { # counted|timed BZIMAGE INITRAMFS LOG
    local status=0 flags
    bench_flags "$1"
    timeout -k 5 900 qemu-system-i386 "${flags[@]}" -kernel "$2" -initrd "$3" -append "\
console=ttyS0 quiet panic=-1 mitigations=off transparent_hugepage=never norandmaps nokaslr no_timer_check \
rdinit=/bench -- linux" -serial "file:$4" < /dev/null || status=$?
    bench_is_whole "$4" $status
}
