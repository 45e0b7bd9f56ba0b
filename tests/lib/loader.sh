# SPDX-License-Identifier: MIT
# Boots by a loader that lies (tests/boot/loader.asm). Each case ends in a kernel that works, or in a
# line that says why not; never in silence. Sourced by tests/run, after boot.sh and talk.sh.

# The machine that starts KERNEL by the loader with CASE: sets $loader, as QEMU's arguments.
make_loader() { # CASE KERNEL ["COMMAND LINE", as NASM has it]
    local image
    image=$(mktemp "$queue_dir/XXXXXX.img")
    echo "### case $1"
    nasm -f bin -Werror -I tests/boot/ -DCASE="$1" -DCOMMAND_LINE="${3:-''}" \
        tests/boot/loader.asm -o "$image"
    loader=(-m 128 -kernel "$image" -initrd "$2")
}

# The checked kernel comes up with CASE, and says TEXT; its memory adds up.
works() { # CASE TEXT...
    make_loader "$1" build/droste-checked.elf
    printf 'mem\naudit\nhalt\n' |
        run_and_find $STATUS_HALT 'nothing is broken' "${@:2}" -- "${loader[@]}"
}

# It says TEXT, and ends.
refuses() { # CASE TEXT
    make_loader "$1" build/droste-checked.elf
    run_and_find $STATUS_FAIL "^cannot start: $2" -- "${loader[@]}"
}

passes() { # CASE "COMMAND LINE"
    local log
    log=$(mktemp "$queue_dir/XXXXXX.img")
    make_loader "$1" build/droste.elf "'$2'"
    wants_status $STATUS_PASS qemu "${loader[@]}" "${with_serial[@]}" | tee "$log"
    judge_ktap < "$log"
}

# To the last frame, while the screen is drawn on.
fills_its_memory() { # CASE
    make_loader "$1" build/droste-checked.elf
    printf '%s\n' 'reserve 1G' 'touch 4M 1G' audit 'release 4M' audit halt |
        run_and_find $STATUS_HALT 'out of memory after' 'nothing is broken' -- "${loader[@]}"
}

# Of the machine's 128 MiB 129 frames are reserved; a framebuffer's, too, if it is used.
loader_framebuffers() {
    works right 'R reserved +129 '
    works framebuffer_in_ram '^framebuffer: .*: in use' 'R reserved +429 '
    works framebuffer_24 '^framebuffer: .*: in use' 'R reserved +355 '
    works framebuffer_16 '^framebuffer: .*: in use' 'R reserved +279 '
    for place in over_image at_0 over_module over_information of_most_ram; do
        works framebuffer_$place '^framebuffer: .*: something is there' 'R reserved +129 '
    done
    works framebuffer_absurd '^framebuffer: .*: bad range' 'R reserved +129 '
    fills_its_memory framebuffer_in_ram
    passes framebuffer_in_ram test
}

loader_maps() {
    local cut='^boot information: more than 128 memory ranges'
    works map_130th_is_reserved "$cut" 'R reserved +4384 '
    works map_of_300 "$cut" 'R reserved +229 '
    refuses map_of_300_reserved 'frame: out of memory'
    works map_with_text_screen 'R reserved +40 '
    passes map_of_300 test=frame_map
    passes map_with_text_screen test=frame_map
}

loader_modules() {
    works modules_overlap 'F file +[1-9]'
    works module_over_image
    works module_over_information
    works module_past_ram
    works module_of_a_long_name '^boot information: of a text of 300 bytes none is kept'
    refuses module_of_all_ram 'files: out of memory'
    refuses module_ends_before_it_starts 'the boot information: '
}

loader_information() {
    refuses information_cut 'the boot information: '
    refuses information_too_long 'the boot information: '
    refuses tag_of_0_bytes 'the boot information: '
    refuses tag_of_4_gib 'the boot information: '
}

# What is typed is heard, however the loader left the keyboard. The serial line is QEMU's monitor, too.
hears_its_keyboard() { # CASE
    local with_serial=(-serial mon:stdio) TIME_LIMIT=30
    make_loader "$1" build/droste.elf
    talk_begin "${loader[@]}"
    await 'droste> '
    say '\001csendkey h\nsendkey a\nsendkey l\nsendkey t\nsendkey ret\n'
    talk_end $STATUS_HALT
}

loader_keyboards() {
    for keyboard in stopped disabled set_1 set_3 half_a_command untranslated; do
        hears_its_keyboard keyboard_$keyboard
    done
}

loader_checks() {
    check loader-framebuffers loader_framebuffers
    check loader-maps loader_maps
    check loader-modules loader_modules
    check loader-information loader_information
    check loader-keyboards loader_keyboards
}
