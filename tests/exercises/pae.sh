# SPDX-License-Identifier: MIT
# Exercises of docs/pae.md. Words: tests/lib/exercises.sh.

# Who knows the size of a slot, and who the format of an entry.
pae_1() {
    local uses
    uses=$(grep -n "SLOT_SHIFT\|SLOT_PAGES" -r arch mm include | wc -l)
    echo "note: $uses"
    [ "$uses" -gt 50 ]
}

# The sum.
pae_2() {
    [ $((0xFF800000 + 0xC0100 * 8)) = $((0xFFE00800)) ]
    [ $(((0xFFFFC000 - 0xFF800000) / 8 << 12)) = $((0xFF800000)) ] # the window itself
}
