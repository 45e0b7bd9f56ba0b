# SPDX-License-Identifier: MIT
# Checks that boot a kernel in a QEMU of its own, with an outer time limit (tests/lib/limit: what a busy
# machine takes away does not count). Sourced by tests/run.
#
# The guest ends QEMU by isa-debug-exit with 2 * x + 1 (include/kernel/machine.h): success is not
# 0, so that a QEMU that crashes, or a time limit, cannot pass for it.

STATUS_HALT=33 STATUS_PASS=65 STATUS_FAIL=67 STATUS_PANIC=69
TIME_LIMIT=${TIME_LIMIT:-180}

limited() { tests/lib/limit "$TIME_LIMIT" "$@"; }
run_qemu() { # PROGRAM ARGUMENTS...: serial line on standard input and output
    limited "$1" -accel tcg -nic none -display none \
        -monitor none -device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot "${@:2}"
}
qemu() { run_qemu qemu-system-i386 "$@"; }
qemu_64() { run_qemu qemu-system-x86_64 "$@"; }

with_serial=(-chardev stdio,id=line,signal=off -serial chardev:line)

# Run COMMAND; its status must be the one wanted.
wants_status() { # STATUS COMMAND...
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ $status = "$wanted" ] && return 0
    [ $status = 124 ] && echo "### time limit of $TIME_LIMIT s"
    echo "### status $status, wanted $wanted"
    return 1
}

# A floppy that starts KERNEL with COMMAND LINE: sets $floppy, as QEMU's arguments.
make_floppy() { # KERNEL "COMMAND LINE"
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    tools/floppy "$1" "$image" "$2"
    floppy=(-boot a -drive "if=floppy,format=raw,readonly=on,file=$image")
}

# The KTAP report on standard input is whole and has no failure; says its counts.
judge_ktap() {
    tr -d '\r' | awk '
        /^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0 }
        /^ok / { ok++ }
        /^ok .* # SKIP / { skipped++ }
        /^not ok / { bad++ }
        /^# passed / { total = $0 }
        END {
            print "note: " ok - skipped " passed, " bad + 0 " failed, " skipped + 0 " skipped"
            if (plan == 0 || ok + bad != plan || bad || total == "") {
                print "### KTAP: planned " plan ", ok " ok ", not ok " bad + 0
                exit 1
            }
        }'
}

# KERNEL passes its self-tests on the machine that ARGUMENTS describe.
boot_tests() { # KERNEL "MORE COMMAND LINE" QEMU-ARGUMENTS...
    boot_some_tests "$1" "test $2" "${@:3}"
}

# The same of those that the COMMAND LINE chooses.
boot_some_tests() { # KERNEL "COMMAND LINE" QEMU-ARGUMENTS...
    local kernel=$1 options=$2 log
    shift 2
    log=$(mktemp "$queue_dir/XXXXXX.img")
    make_floppy "$kernel" "$options"
    wants_status $STATUS_PASS qemu "${floppy[@]}" "${with_serial[@]}" "$@" | tee "$log"
    judge_ktap < "$log"
}

# The same without a serial line: its status alone tells.
boot_tests_silent() { # KERNEL QEMU-ARGUMENTS...
    local kernel=$1
    shift
    make_floppy "$kernel" test
    wants_status $STATUS_PASS qemu "${floppy[@]}" -serial none "$@"
}

# KERNEL ends with STATUS after it has said TEXT (an extended regular expression).
boot_says() { # STATUS TEXT KERNEL "COMMAND LINE" QEMU-ARGUMENTS...
    local status=$1 text=$2 kernel=$3 options=$4
    shift 4
    make_floppy "$kernel" "$options"
    run_and_find "$status" "$text" -- "${floppy[@]}" "$@"
}

# KERNEL passes its self-tests with OPTIONS, and QEMU, which logs what it translates, has seen no
# instruction of it that came after the first 486: what was not translated was not executed.
executes_only_486() { # KERNEL OPTIONS ADDRESSES, as in the log
    local later='cpuid|rdtsc|%cr4|clac|stac|[rw]dmsr' log machine
    log=$(mktemp "$queue_dir/XXXXXX.img")
    # The image: boot.asm before paging, in the first 4 KiB from 1 MiB on, and all from 3 GiB on.
    machine=(-m 64 -cpu 486 -d in_asm -D "$log" -dfilter 0x100000+0x1000,0xc0000000+0x10000000)
    boot_tests "$1" "$2" "${machine[@]}"
    grep -qE '^0x001000.* lgdt' "$log" && grep -qE '^0xc01.* invlpg' "$log" # the log is right
    if grep -E "^0x($3).* ($later)" "$log"; then
        return 1
    fi
}

# The same of the whole image, from its first instruction on, on a CPU without CPUID. QEMU has none:
# in a copy of KERNEL the two places that try to change EFLAGS.ID (boot.asm, cpu.c) change nothing.
executes_only_486_without_id() { # KERNEL
    local copy
    copy=$(mktemp "$queue_dir/XXXXXX.img")
    perl -0777 -pe '
        $places = s/(\x35|\x81[\xf0-\xf7])\x00\x00\x20\x00/$1\x00\x00\x00\x00/g;
        die "EFLAGS.ID is tried at $places places\n" if $places != 2' "$1" > "$copy"
    boot_says $STATUS_PASS 'CPU 486 or compatible, without CPUID' "$copy" test=cpu -m 64
    executes_only_486 "$copy" "" '00100|c01'
}

# With less memory than is promised: a message, or layers that come up and pass a test.
boots_or_refuses() { # KERNEL "MORE COMMAND LINE" QEMU-ARGUMENTS...
    local kernel=$1 options=$2 log status=0
    shift 2
    log=$(mktemp "$queue_dir/XXXXXX.img")
    make_floppy "$kernel" "test=memmap $options"
    qemu "${floppy[@]}" "${with_serial[@]}" "$@" | tee "$log" || status=$?
    case $status in
    "$STATUS_PASS") judge_ktap < "$log" ;;
    "$STATUS_FAIL") found_in "$log" 'cannot start: ' && echo "note: refused" ;;
    *) return 1 ;;
    esac
}

run_and_find() { # STATUS TEXT... -- QEMU-ARGUMENTS...
    local status=$1 texts=() text log
    shift
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    log=$(mktemp "$queue_dir/XXXXXX.img")
    wants_status "$status" qemu "${with_serial[@]}" "$@" | tee "$log"
    for text in "${texts[@]}"; do
        found_in "$log" "$text"
    done
}

found_in() { # LOG TEXT
    grep -aE -m 1 -- "$2" "$1" > /dev/null && return 0
    echo "### not said: $2"
    return 1
}

# A prompt session through `tools/run`, as `printf ... | make run` does it. Once more if not a word was said:
# a BIOS that loses a transfer of USB on a busy host waits for it for ever, and nothing of ours has run then.
session() { # IMAGE "LINES" TEXT...: each TEXT must be in the answer
    local image=$1 lines=$2 log text try status
    shift 2
    log=$(mktemp "$queue_dir/XXXXXX.img")
    for try in first second; do
        status=0
        # shellcheck disable=SC2059 # the lines hold \n
        printf "$lines" | limited tools/run terminal "$image" | tee "$log" || status=$?
        [ -s "$log" ] && break
        echo "note: not a word at the $try try"
    done
    [ $status = 0 ]
    for text in "$@"; do
        found_in "$log" "$text"
    done
}

session_from() { # MEDIUM IMAGE "LINES" TEXT...
    export MEDIUM=$1
    shift
    session "$@"
}

# Choose entry NUMBER (0..) of the ISO's menu by keyboard, and let its self-tests run.
iso_menu_tests() { # ISO NUMBER
    local iso=$1 number=$2 log i
    log=$(mktemp "$queue_dir/XXXXXX.img")
    {
        sleep 1 # the BIOS keeps early keys for GRUB, whose menu stays for 2 s
        for ((i = 0; i < number; i++)); do
            echo "sendkey down"
            sleep 0.2
        done
        echo "sendkey ret"
        sleep "$TIME_LIMIT" &
        echo $! > "$log.sleep"
        wait
    } | {
        status=0
        wants_status $STATUS_PASS qemu -m 64 -monitor stdio -serial "file:$log" -boot d \
            -cdrom "$iso" > "$log.monitor" || status=$?
        kill "$(cat "$log.sleep")"
        cat "$log"
        exit $status
    }
    judge_ktap < "$log"
}
