# SPDX-License-Identifier: MIT
# Exercises of docs/regions.md. Words: tests/lib/exercises.sh.

# Merge.
regions_1() {
    changed regions-1
    at_prompt plain 'reserve 4K\nreserve 8K\nreserve 4M\nregions\n' '^lower 3 GiB' \
        '0x00001000-0x00003fff' '0x00400000-0x007fffff' '^kernel:'
}

# Forget to update.
regions_2() {
    changed regions-2
    boot_stops checked test=vma 'the value does not follow from data and children \(5\)' \
        '^not ok'
}

# Where does it go?
regions_3() {
    at_prompt plain 'reserve 4K\nreserve 4K\nreserve 4K\nrelease 0x2000\nreserve 8K\nreserve 4K\n' \
        'reserved V0x00001000' 'reserved V0x00002000' 'reserved V0x00003000' 'released V0x00002000' \
        'reserved V0x00004000' 'reserved V0x00002000'
}
