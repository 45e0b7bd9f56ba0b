/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Numbers that look like chance (getrandom, AT_RANDOM).
 *
 * A Weyl sequence through a mixing function, stirred with the clocks at every call. It tells a
 * program's runs apart; it is no source of secrets, and says so here only: a machine without a
 * source of noise has nothing better to offer, and C libraries will not start without an answer.
 */
#include <process/random.h>

#include <arch/i386/cpu.h>
#include <kernel/string.h>
#include <process/timer.h>

/* Every bit of the state bears on every bit of the result (the finisher of MurmurHash3). */
static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

void random_bytes(void *to, uint32_t bytes)
{
    static uint32_t state;
    uint8_t *target = to;

    state ^= mix((uint32_t)cpu_cycles() + (uint32_t)timer_ticks());
    while (bytes > 0) {
        state += 0x9E3779B9u;
        uint32_t word = mix(state);
        uint32_t part = bytes < sizeof(word) ? bytes : sizeof(word);
        memcpy(target, &word, part);
        target += part;
        bytes -= part;
    }
}
