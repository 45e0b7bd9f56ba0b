/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The 8254 interval timer (pit.h).
 */
#include <arch/i386/pit.h>

#include <arch/i386/cpu.h>
#include <arch/i386/io.h>
#include <arch/i386/pic.h>

enum {
    CHANNEL_0 = 0x40,
    CHANNEL_2 = 0x42,
    CONTROL = 0x43,
    CONTROL_CHANNEL_0_RATE = 0x34, /* channel 0, low byte then high byte, mode 2, binary */
    CONTROL_CHANNEL_0_LATCH = 0x00,
    CONTROL_CHANNEL_2_RATE = 0xB4,
    CONTROL_CHANNEL_2_LATCH = 0x80,
    SPEAKER = 0x61,
    SPEAKER_GATE = 0x01, /* channel 2 counts */
    SPEAKER_DATA = 0x02, /* and is heard */
};

static uint32_t divisor;

/* The time-stamp counter, which counts on while ticks are lost. */
static struct {
    uint32_t per_tick;   /* 0: there is none */
    uint64_t at_last;    /* when the last tick that was counted was due */
    bool counts_waiting; /* that one still waits to be served */
} cycles;

static uint32_t read_count(void)
{
    outb(CONTROL, CONTROL_CHANNEL_0_LATCH);
    uint32_t count = inb(CHANNEL_0);
    return count | (uint32_t)inb(CHANNEL_0) << 8;
}

/*
 * How far the time-stamp counter goes in a tick, by a small part of one: to five per cent, which is
 * as near as learn() needs it. A timer that stands still, or ends its round just then, tells nothing,
 * nor does a machine that stood still itself meanwhile: an emulator whose host was busy.
 */
static uint32_t measure_cycles(void)
{
    enum { READS_MAX = 10000, PART = 512 };
    uint32_t rest, first = read_count(), last = first;
    uint64_t start = cpu_cycles();
    for (uint32_t i = 0; i < READS_MAX && last <= first && first - last < divisor / PART; i++)
        last = read_count();
    uint64_t passed = (cpu_cycles() - start) * divisor;
    bool is_measured = last < first && first <= divisor && passed >> 32 < first - last;
    return is_measured ? cpu_divide(passed, first - last, &rest) : 0;
}

void pit_start(uint32_t hz)
{
    enum { MEASUREMENTS = 4 };
    divisor = (PIT_INPUT_HZ + hz / 2) / hz;
    outb(CONTROL, CONTROL_CHANNEL_0_RATE);
    outb(CHANNEL_0, (uint8_t)divisor);
    outb(CHANNEL_0, (uint8_t)(divisor >> 8));
    for (unsigned tries = 0; cpu_features.tsc && tries < MEASUREMENTS; tries++) {
        uint32_t measured = measure_cycles();
        if (measured != 0 && (cycles.per_tick == 0 || measured < cycles.per_tick))
            cycles.per_tick = measured; /* whatever came between made the others longer */
    }
    cycles.at_last = cpu_cycles();
    pic_unmask(PIT_IRQ);
}

/* A tick that came in time took DIFFERENCE cycles more than thought. */
static void learn(int32_t difference)
{
    int32_t most = (int32_t)(cycles.per_tick / 16);
    if (difference > -most && difference < most)
        cycles.per_tick += (uint32_t)(difference / 8);
}

/*
 * The count says how long ago the last tick was due, whichever IRQ is served now. So the distance
 * from tick to tick is a whole number, and one that came while another waited is not lost.
 */
uint32_t pit_ticks_served(void)
{
    uint32_t rest, count, passed = 1;
    if (cycles.per_tick == 0)
        return 1;
    count = read_count();
    uint32_t clocks = count < divisor ? divisor - count : 0;
    uint64_t due = cpu_cycles() - cpu_divide((uint64_t)clocks * cycles.per_tick, divisor, &rest);
    uint64_t since = due - cycles.at_last + cycles.per_tick / 2;
    if (since >> 32 < cycles.per_tick) /* else the counter was set */
        passed = cpu_divide(since, cycles.per_tick, &rest);
    if (passed == 1)
        learn((int32_t)((uint32_t)since - cycles.per_tick / 2 - cycles.per_tick));
    cycles.at_last = due;
    cycles.counts_waiting = pic_is_raised(PIT_IRQ);
    return passed;
}

/* The count goes from the divisor down to 1. Read first, and then look whether a tick waits: one
 * that comes in between is seen with a count from before it, which is small. */
uint32_t pit_clocks_since_tick(void)
{
    if (divisor == 0)
        return 0;
    uint32_t count = read_count();
    bool tick_waits = pic_is_raised(PIT_IRQ) && !cycles.counts_waiting;
    uint32_t clocks = count < divisor ? divisor - count : 0;
    return tick_waits && clocks < divisor / 2 ? clocks + divisor : clocks;
}

/* The count goes from 65536, which reads as 0, down to 1. */
uint32_t pit_stopwatch(void)
{
    static uint32_t clocks;
    static uint16_t last;
    static bool runs;
    if (!runs) {
        outb(SPEAKER, (uint8_t)((inb(SPEAKER) & ~SPEAKER_DATA) | SPEAKER_GATE));
        outb(CONTROL, CONTROL_CHANNEL_2_RATE);
        outb(CHANNEL_2, 0);
        outb(CHANNEL_2, 0);
        runs = true;
    }
    outb(CONTROL, CONTROL_CHANNEL_2_LATCH);
    uint16_t count = inb(CHANNEL_2);
    count = (uint16_t)(count | inb(CHANNEL_2) << 8);
    clocks += (uint16_t)(last - count);
    last = count;
    return clocks;
}
