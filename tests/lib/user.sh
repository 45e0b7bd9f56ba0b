# SPDX-License-Identifier: MIT
# User tests (tests/user/check.h): each program on this host's Linux, and as process 1 on Droste.
# Sourced by tests/run and tests/user/run, after queue.sh and boot.sh.
#
# Both must end with the status that is wanted, say no "not ok", and say the same "ok" lines. On
# Droste the checked kernel audits itself when process 1 has ended, and panics if a frame is lost.

user_bin=build/user/tests
PATH=$PATH:/sbin:/usr/sbin # mke2fs, e2fsck
USER_SKIPPED=77 # CHECK_SKIPPED of check.h

# The names of the checks of program NAME.
user_check_names() { # NAME
    local on
    on=$(user_wish "$1" on both)
    [[ $on == @(both|linux) ]] && echo "user-$1-linux"
    [[ $on == @(both|droste) ]] && echo "user-$1-droste"
    [ "$(user_wish "$1" ext2 none)" != none ] && echo "user-$1-ext2"
    return 0
}

# What the head comment of program NAME wants: run: KEY=VALUE.
user_wish() { # NAME KEY DEFAULT
    local value
    value=$(sed -n "s/^ \* run: $2=//p" "tests/user/$1.c" | head -n 1)
    echo "${value:-$3}"
}

# The files that program NAME wants beside it: of a directory, made or in the tree, or programs.
user_files() { # NAME
    local file
    for file in $(user_wish "$1" files ""); do
        if [ -d "tests/user/$file" ]; then
            find "tests/user/$file" -type f | sort
        elif [ -d "$user_bin/$file" ]; then
            find "$user_bin/$file" -type f | sort
        else
            echo "$user_bin/$file"
        fi
    done
}

# The status and what was said (on standard input) are right.
user_judge() { # NAME STATUS LOG
    local wanted
    wanted=$(user_wish "$1" exit 0)
    if grep -a '^not ok' "$3"; then
        return 1
    fi
    echo "note: $(grep -ac '^ok' "$3") checks"
    [ "$2" = "$wanted" ] && return 0
    echo "### exit status $2, wanted $wanted"
    return 1
}

user_on_linux() { # NAME
    local name=$1 directory seconds log=$queue_dir/user-$1.linux status=0 arguments
    directory=$(mktemp -d "$queue_dir/XXXXXX.dir")
    seconds=$(user_wish "$name" seconds 60)
    read -ra arguments <<< "$(user_wish "$name" arguments "")"
    cp "$user_bin/$name" $(user_files "$name") "$directory"
    if ! build/user/hello > /dev/null 2>&1; then
        echo "skip: this host runs no i386 programs"
    else
        (cd "$directory" && "$OLDPWD/tests/lib/limit" "$seconds" env PATH="$directory" "./$name" \
            "${arguments[@]}") > "$log.said" 2>&1 || status=$?
        cat "$log.said"
        if [ $status = $USER_SKIPPED ]; then
            sed -n 's/^# skip: /skip: /p' "$log.said"
            : > "$log.said"
        else
            user_judge "$name" $status "$log.said" || status=failed
        fi
    fi
    rm -rf "$directory"
    mv "$log.said" "$log" 2> /dev/null || touch "$log"
    [ $status != failed ]
}

user_on_droste() { # NAME
    local name=$1 log=$queue_dir/user-$1.droste.img image=$queue_dir/user-$1.img status=0 file
    local swap swap_disk=() swap_option=
    swap=$(user_wish "$name" swap 0)
    if [ "$swap" != 0 ]; then
        truncate -s "${swap}M" "$image.swap.img"
        mkswap "$image.swap.img" > /dev/null
        swap_option=swap=hdb
        swap_disk=(-drive "format=raw,file=$image.swap.img")
    fi
    local modules=("$user_bin/$name=$name $(user_wish "$name" arguments "")")
    for file in $(user_files "$name"); do
        modules+=("$file=$(basename "$file")")
    done
    tools/disk build/droste-checked.elf "$image" \
        "init=$name $(user_wish "$name" options "") $swap_option" "${modules[@]}"
    TIME_LIMIT=$(user_wish "$name" seconds 60) qemu "${with_serial[@]}" -boot c \
        -rtc "base=$(user_wish "$name" date utc)" \
        -drive "format=raw,snapshot=on,file=$image" "${swap_disk[@]}" \
        -m "$(user_wish "$name" memory 128)" -cpu pentium3 < /dev/null > "$log" || status=$?
    rm -f "$image" "$image.swap.img"
    tr -d '\r' < "$log" | tee "$log.text.img"
    [ $status = 124 ] && echo "### time limit"
    # The status comes from the port, and QEMU can't have crashed: the kernel says it, too.
    found_in "$log.text.img" '^audit clean'
    found_in "$log.text.img" '^init: (exited with status|killed by signal) [0-9]+'
    [ $status -ge 129 ] && [ $((status % 2)) = 1 ]
    user_judge "$name" $(((status - 129) / 2)) "$log.text.img"
    user_compare "$name" "$log.text.img"
}

# The same with its files on a disk: the root is an ext2 that was made here, and is judged here.
user_on_ext2() { # NAME
    local name=$1 log=$queue_dir/user-$1.ext2.img image=$queue_dir/user-$1-ext2.img status=0 file
    local disk=$queue_dir/user-$1-disk.img root
    root=$(mktemp -d "$queue_dir/XXXXXX.dir")
    mkdir "$root/dev" "$root/proc" "$root/tmp" "$root/ext2"
    for file in "$user_bin/$name" $(user_files "$name"); do
        cp "$file" "$root"
    done
    mke2fs -q -F -t ext2 -b "$(user_wish "$name" ext2 none)" -d "$root" "$disk" 32M
    tools/disk build/droste-checked.elf "$image" "root=hdb init=/$name"
    TIME_LIMIT=$(user_wish "$name" seconds 60) qemu "${with_serial[@]}" -boot c \
        -drive "format=raw,snapshot=on,file=$image" -drive "format=raw,file=$disk" \
        -m "$(user_wish "$name" memory 128)" -cpu pentium3 < /dev/null > "$log" || status=$?
    rm -rf "$image" "$root"
    tr -d '\r' < "$log" | tee "$log.text.img"
    [ $status = 124 ] && echo "### time limit"
    e2fsck -fn "$disk"
    rm -f "$disk"
    found_in "$log.text.img" '^audit clean'
    user_judge "$name" $(((status - 129) / 2)) "$log.text.img"
    user_compare "$name" "$log.text.img"
}

# What Linux said, if it ran there: it was started before, and is waited for.
user_compare() { # NAME LOG
    local linux=$queue_dir/user-$1.linux
    [ "$(user_wish "$1" on both)" = both ] && [[ user-$1-linux =~ $queue_pattern ]] || return 0
    while [ ! -e "$linux" ]; do
        sleep 0.1
    done
    [ -s "$linux" ] || return 0
    diff <(grep -a '^ok' "$linux") <(grep -a '^ok' "$2") && return 0
    echo "### Linux (<) and Droste (>) say different things"
    return 1
}

# The programs of which a check is wanted.
user_programs() {
    local source name
    for source in tests/user/*.c; do
        name=$(basename "$source" .c)
        user_check_names "$name" | grep -E -- "$queue_pattern" > /dev/null && echo "$name"
    done
}

user_build() {
    make_quietly user test-programs build/droste-checked.elf
}

user_checks() {
    local programs name check
    mapfile -t programs < <(user_programs)
    [ ${#programs[@]} -gt 0 ] || return 0
    check_first build-user user_build
    for name in "${programs[@]}"; do
        for check in $(user_check_names "$name"); do
            check "$check" "user_on_${check##*-}" "$name"
        done
    done
}

# `make run INIT=PROGRAM`: it ends with STATUS, INPUT being what is typed, and has said each TEXT.
program_session() { # PROGRAM "INPUT" STATUS TEXT...
    local name image log status=0 text
    name=$(basename "$1")
    image=$queue_dir/$name${MEM:-}.iso log=$queue_dir/$name${MEM:-}.session.img
    COMMAND_LINE="init=$name ${OPTIONS:-}" tools/iso "$image" build/droste.elf build/droste-checked.elf \
        iso/grub.cfg "$1=$name one two" README.md=README.md
    # shellcheck disable=SC2059 # the input holds \n
    printf "$2" | limited tools/run program "$image" > "$log" || status=$?
    rm -f "$image"
    cat "$log"
    for text in "${@:4}"; do
        found_in "$log" "$text"
    done
    [ $status = "$3" ] && return 0
    echo "### status $status, wanted $3"
    return 1
}

# The same with 16 MiB and a disk of 64 to swap to.
swap_session() { # as program_session
    local swap status=0
    swap=$(mktemp "$queue_dir/XXXXXX.img")
    truncate -s 64M "$swap"
    mkswap "$swap" > /dev/null
    OPTIONS=swap=hdb SWAP_IMAGE=$swap MEM=16 program_session "$@" || status=$?
    rm -f "$swap"
    return $status
}

# With 4 MiB a program runs, if it is small: GRUB must find room for it beside the kernel.
tiny_program() { # KERNEL
    local disk
    "${cross}gcc" -O1 -nostdlib -static -no-pie -s tests/boot/tiny.c -o "$queue_dir/tiny"
    disk=$(mktemp "$queue_dir/XXXXXX.img")
    tools/disk "$1" "$disk" init=tiny "$queue_dir/tiny=tiny"
    run_and_find 143 '^tiny: here' '^init: exited with status 7' -- -boot c \
        -drive "format=raw,snapshot=on,file=$disk" -m 4 -cpu 486
}
