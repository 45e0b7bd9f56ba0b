# SPDX-License-Identifier: MIT
# Exercises of docs/testing.md. Words: tests/lib/exercises.sh.

testing_1() {
    changed testing-1
    boot_ends $STATUS_PASS checked test=frame '^ok .* frame: a frame freed: is the next one handed out'
}

# Leave out the last line.
testing_2() {
    changed testing-2
    tests_fail frame 'frame: a frame freed: is the next one handed out' \
        'frame: 100,000 random operations: the pool does what a plain array does' | tee "$tree/log"
    said_in_order "$tree/log" 'the invariant "frames" does not hold' \
        'the invariant "zero frame and tables are whole, and what was taken is given back" does not' \
        'a frame in use has an owner' 'the invariant "audit" does not hold'
}

testing_3() {
    changed testing-3
    boot_ends $STATUS_FAIL checked test=frame \
        '# tests/kernel/frame_test.c:[0-9]+: first.n is [0-9]+ .*, second.n \+ 1 is [0-9]+ ' \
        '^not ok .* frame: a frame freed: is the next one handed out'
}

# Lose a frame.
testing_4() {
    changed testing-4
    at_prompt_until_it_stops plain 'reserve 8K\ntouch 4K 8K\nrelease 4K\naudit\n' \
        'BROKEN: "a frame in use has an owner" is not true of frame' 'Droste ended with a failure'
}
