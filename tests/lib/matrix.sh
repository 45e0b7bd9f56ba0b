# SPDX-License-Identifier: MIT
# The rows of tests/matrix.txt: self-tests on one configuration of an emulated machine. Sourced by
# tests/run and tests/matrix, after queue.sh and boot.sh.
#
# Bochs and v86 have no exit status of our own, so there the serial log alone is judged: a whole
# KTAP report without a failure, as everywhere.

SHARE=/usr/share
V86_DIRECTORY=build/v86
CYLINDER_BYTES=$((16 * 63 * 512)) # of Bochs's disks
matrix_cannot=0                   # rows that were not run, with a reason given

# Why this row cannot run here, or nothing: what it needs that is not installed.
missing_for() { # EMULATOR FIRMWARE
    local file files=()
    case $1 in
    qemu) files=(qemu-system-i386) ;;
    bochs) files=(bochs $SHARE/bochs/BIOS-bochs-latest $SHARE/vgabios/vgabios.bin) ;;
    v86) files=(node $V86_DIRECTORY/node_modules/v86/build/libv86.mjs $SHARE/seabios/bios.bin) ;;
    esac
    case $2 in
    uefi32) files+=($SHARE/OVMF/OVMF32_CODE_4M.secboot.fd) ;;
    uefi64) files+=($SHARE/OVMF/OVMF_CODE_4M.fd qemu-system-x86_64) ;;
    esac
    for file in "${files[@]}"; do
        [ -e "$file" ] || command -v "$file" > /dev/null || echo "$file is not there"
    done
}

# Queue the rows of WHEN ("test", or "test|long"); say of the others why they cannot run.
matrix_rows() { # WHEN
    local when emulator cpu machine firmware medium memory more name reason
    while read -r when emulator cpu machine firmware medium memory more; do
        [[ $when =~ ^($1)$ ]] || continue
        name=matrix-$emulator-$cpu-$machine-$firmware-$medium-$memory
        [ $when = never ] || name+=${more:+-${more//[^a-zA-Z0-9]/-}}
        [[ $name =~ $queue_pattern ]] || continue
        reason=$(missing_for "$emulator" "$firmware" | head -n 1)
        [ $when = never ] && reason=$more
        if [ -n "$reason" ]; then
            echo "cannot $name: $reason"
            matrix_cannot=$((matrix_cannot + 1))
        else
            check "$name" matrix_row "$emulator" "$cpu" "$machine" "$firmware" "$medium" \
                "$memory" "$more"
        fi
    done < <(grep -v '^#' tests/matrix.txt)
}

matrix_row() { # EMULATOR CPU MACHINE FIRMWARE MEDIUM MIB "MORE"
    local emulator=$1 firmware=$4 medium=$5 more=$7
    image=$(mktemp "$queue_dir/XXXXXX.img") log=$image.log.img
    if [ "$medium" = swap ]; then
        matrix_swap "$@"
        return
    elif [[ $medium = disks-* ]]; then
        disks_make "${medium#disks-}"
        tools/floppy build/droste-checked.elf "$image" "test=disk testdisk=hd${medium#disks-} $more"
    else
        make_test_iso "$more"
    fi
    "matrix_$emulator" "${@:2:5}"
    tr -d '\r' < "$log" | judge_ktap
    if [[ $medium = disks-* ]]; then
        disks_judge a b
        [ "$emulator" = v86 ] || disks_judge c d
    fi
    if [[ $more =~ ^mode=([0-9]+x[0-9]+)x([0-9]+)$ ]]; then
        found_in "$log" "framebuffer: ${BASH_REMATCH[1]}, ${BASH_REMATCH[2]} bits.*: in use"
    elif [[ $firmware = uefi* ]]; then
        found_in "$log" 'framebuffer: .*: in use'
    fi
}

# A disk to start from, and one to swap to: a program writes twice what fits into RAM, and switches off.
matrix_swap() { # as matrix_row
    local program=build/user/tests/swap_pressure
    make -s test-programs
    tools/disk build/droste-checked.elf "$image" "init=swap_pressure swap=hdb $7" "$program=swap_pressure off"
    truncate -s "$((130 * CYLINDER_BYTES))" "$image.b.img"
    mkswap "$image.b.img" > /dev/null
    "matrix_$1" "${@:2:5}"
    found_in "$log" '^1\.\.[0-9]+'
    [ "$(grep -ac '^not ok' "$log")" = 0 ]
}

# The ISO, which starts its self-tests at once: $image. MORE is mode=WxHxD, or kernel options.
make_test_iso() { # "MORE"
    local options=$1 mode=auto
    [[ $options = mode=* ]] && mode=${options#mode=} options=
    sed -e "s/^set timeout=.*/set timeout=0/; s/^set default=.*/set default=1/" \
        -e "s/ test$/& $options/; /^function/i set gfxpayload=$mode" iso/grub.cfg > "$image.cfg.img"
    tools/iso "$image" build/droste.elf build/droste-checked.elf "$image.cfg.img"
}

matrix_qemu() { # CPU MACHINE FIRMWARE MEDIUM MIB
    local cpu=$1 machine=$2 firmware=$3 medium=$4 memory=$5 arguments command=qemu
    arguments=(-cpu "$cpu" -M "$machine" -m "$memory")
    case $medium in
    cd) arguments+=(-boot d -cdrom "$image") ;;
    disk) arguments+=(-boot c -drive "format=raw,snapshot=on,file=$image") ;;
    disks-*) "disks_of_${machine/isapc/pc}" ;;
    usb-*) arguments+=(-device "${medium#usb-},id=controller"
        -drive "if=none,id=stick,format=raw,snapshot=on,file=$image"
        -device usb-storage,bus=controller.0,drive=stick,bootindex=0) ;;
    esac
    case $firmware in
    uefi32) add_flash OVMF32_CODE_4M.secboot.fd OVMF32_VARS_4M.fd ;;
    uefi64) add_flash OVMF_CODE_4M.fd OVMF_VARS_4M.fd && command=qemu_64 ;;
    esac
    wants_status $STATUS_PASS "$command" "${with_serial[@]}" "${arguments[@]}" | tee "$log"
}

# The firmware's code, and its variables: read-only package files, writes are forgotten.
add_flash() { # CODE VARIABLES
    arguments+=(-drive "if=pflash,unit=0,format=raw,readonly=on,file=$SHARE/OVMF/$1"
        -drive "if=pflash,unit=1,format=raw,snapshot=on,file=$SHARE/OVMF/$2")
}

# Its file for the serial line grows while it runs; it ends when the guest shuts down, with 1. Sound is
# off: where there is no sound card, opening one overflows a buffer of Debian's Bochs, now and then.
matrix_bochs() { # CPU MACHINE FIRMWARE MEDIUM MIB
    local cpu=$1 medium=$4 memory=$5 disk status=0
    local letter plugs=(ata0-master ata0-slave ata1-master ata1-slave)
    disk="ata0-master: type=cdrom, path=$image, status=inserted"
    if [ "$medium" = disk ] || [ "$medium" = swap ]; then
        truncate -s %$CYLINDER_BYTES "$image"
        disk="ata0-master: type=disk, path=$image, mode=volatile"
        [ "$medium" = disk ] || disk+=$'\n'"ata0-slave: type=disk, path=$image.b.img, mode=flat, cylinders=130, heads=16, spt=63"
        medium=disk
    elif [[ $medium = disks-* ]]; then
        disk="floppya: 1_44=$image, status=inserted
pci: enabled=$([ "$2" = isa ] && echo 0 || echo 1), chipset=i440fx
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15"
        for letter in "${DISK_LETTERS[@]}"; do
            disk+=$'\n'"${plugs[0]}: type=disk, path=$image.$letter.img, mode=flat, cylinders=2, heads=16, spt=63"
            plugs=("${plugs[@]:1}")
        done
        medium=floppy
    fi
    cat > "$image.rc.img" << END
megs: $memory
cpu: model=$cpu, count=1, ips=50000000, reset_on_triple_fault=0
romimage: file=$SHARE/bochs/BIOS-bochs-latest
vgaromimage: file=$SHARE/vgabios/vgabios.bin
$disk
boot: ${medium/#cd/cdrom}
com1: enabled=1, mode=file, dev=$log
display_library: sdl2
speaker: enabled=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
panic: action=fatal
log: $image.bochs.img
END
    echo c > "$image.start.img" # Debian's Bochs has the debugger: "continue"
    SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy tests/lib/limit $((5 * TIME_LIMIT)) bochs -q \
        -f "$image.rc.img" -rc "$image.start.img" > "$image.out.img" || status=$?
    cat "$log"
    [ $status = 1 ] && return 0
    tail -n 20 "$image.bochs.img"
    echo "### Bochs ended with $status"
    return 1
}

matrix_v86() { # CPU MACHINE FIRMWARE MEDIUM MIB
    local medium=$4 disks=()
    [[ $medium = disks-* ]] && medium=floppy disks=("$image.a.img" "$image.b.img")
    [ "$medium" = swap ] && medium=disk disks=("$image.b.img")
    limited node tests/v86/run.mjs $V86_DIRECTORY "$medium" "$image" "$5" "${disks[@]}" | tee "$log"
}
