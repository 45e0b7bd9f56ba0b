# SPDX-License-Identifier: MIT
# Exercises of docs/frames.md. Words: tests/lib/exercises.sh.

# A small machine: a character is a frame, and each kind is there.
frames_1() {
    MEM=4 at_prompt plain 'frames\n' '^P0x00000000.*Z' '^P0x00[0-9a-f]{6}[^D]*D[^D]*$' 'one character: 4 KiB'
}

# A hole.
frames_2() {
    OPTIONS='memmap=0+640K:1,1M+31M:1,8M+1M:2' at_prompt plain 'frames\n' \
        'P0x00600000[^R]*$' 'P0x00800000.*RRRRRRRRRRRRRRRR' 'P0x00a00000[^R]*$'
}

# No memory map.
frames_3() {
    boot_ends $STATUS_FAIL plain memmap=none 'cannot start: the memory map'
    boot_ends $STATUS_FAIL plain memmap=0+640K:1 'cannot start: '
}

# Take the low frames first.
frames_4() {
    changed frames-4
    boot_stops checked test=frame \
        'alloc_number\(&test_pool\) is 0 \(0x0\), i is 4096 \(0x1000\)'
}

# Free twice.
frames_5() {
    boot_ends $STATUS_PANIC plain panic=double-free 'PANIC: double free of frame'
    changed frames-5
    boot_ends $STATUS_PANIC plain panic=double-free 'PANIC: free of frame [0-9]+, which is free'
}
