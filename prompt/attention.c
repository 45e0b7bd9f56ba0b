/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Keys while processes run, and the key that stops them: all go to the terminal
 * but ^] (and a break on the serial line), which freezes the processes and opens the prompt.
 * `resume` there lets them go on. So does `watch`, and then any key is that key.
 */
#include "watch.h"

#include <arch/i386/keyboard.h>
#include <arch/i386/pic.h>
#include <arch/i386/serial.h>
#include <file/file.h>
#include <kernel/console.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <mm/heap.h>
#include <mm/vma.h>
#include <process/client.h>
#include <process/schedule.h>
#include <process/timer.h>
#include <program/init.h>
#include <prompt/prompt.h>

enum { NO_KEY = -1, PATIENCE_TICKS = 2 * TIMER_HZ };

static bool is_wanted;        /* somebody pressed ^] */
static bool prompt_is_open;   /* keys are the prompt's */
static int held_key = NO_KEY; /* the terminal had no room for it */
static uint64_t taken_tick;   /* when it last had */
static uint64_t loss_tick;    /* when it was last told that keys are lost */

/* Keys are the prompt's from here on, or the terminal's. */
static void open_prompt(bool is_open)
{
    prompt_is_open = is_open;
    console_watch(!is_open);
}

/* The terminal takes at most COUNT of the waiting keys, as far as it has room. */
static unsigned hand_on(unsigned count)
{
    unsigned done = 0;
    while (done < count) {
        int key = held_key != NO_KEY ? held_key : console_poll_key();
        held_key = NO_KEY;
        if (key < 0)
            break;
        if (!terminal_take_key(key)) {
            held_key = key;
            break;
        }
        taken_tick = timer_ticks();
        done++;
    }
    return done;
}

/* What was typed before the key is the programs', read or not; the rest is the prompt's. */
static void attend(unsigned ahead)
{
    is_wanted = true;
    process_request_rare_work();
    ahead += held_key != NO_KEY;
    ahead -= hand_on(ahead);
    for (ahead -= held_key != NO_KEY; ahead > 0; ahead--)
        console_poll_key(); /* lost: nobody reads it */
}

/*
 * A sender that can wait is let wait while programs read on. What nobody reads for a while is
 * dropped, as a serial line drops it: the key may stand behind it.
 */
static void drop_unread(void)
{
    uint64_t now = timer_ticks();
    if (held_key != NO_KEY && now - taken_tick >= PATIENCE_TICKS)
        console_drop_keys();
    if (now - loss_tick >= PATIENCE_TICKS && console_take_loss()) {
        loss_tick = now;
        printk("[input is lost: it comes faster than it is read]\n");
    }
}

/* The next key is the end of `watch`, and nobody's. */
static void poll_watch(void)
{
    if (watch_is_due())
        process_request_rare_work();
    if (console_poll_key() >= 0)
        attend(0);
}

static void poll_keys(void)
{
    unsigned ahead;
    if (prompt_is_open || is_wanted)
        return;
    bool is_asked = console_take_attention(&ahead);
    if (!is_asked && watch_is_on()) {
        poll_watch();
        return;
    }
    if (!is_asked) {
        hand_on(UINT32_MAX);
        drop_unread();
        if (!console_take_attention(&ahead)) /* it may have come while others were handed on */
            return;
    }
    attend(ahead);
}

static void key_interrupt(struct trap_frame *frame)
{
    console_interrupt(frame->vector - PIC_FIRST_VECTOR);
    poll_keys();
}

/* Keys come by interrupt from now on. */
static void listen(void)
{
    trap_register(PIC_FIRST_VECTOR + KEYBOARD_IRQ, key_interrupt);
    trap_register(PIC_FIRST_VECTOR + SERIAL_IRQ, key_interrupt);
    console_listen();
    console_watch(!prompt_is_open);
}

/* If somebody asked for the prompt, or no process is left: open it. */
static void answer(void)
{
    bool is_last = process_count() == 0;
    if (watch_is_due())
        watch_say();
    if (!is_wanted && !is_last)
        return;
    if (is_last) { /* what was kept warm for processes goes back */
        heap_trim(&kernel_heap, 0);
        vma_trim();
    } else {
        printk("\n[%u processes frozen; `resume` lets them go on]\n", process_count());
    }
    open_prompt(true); /* first: else the next key were the terminal's */
    is_wanted = false;
    watch_end();
    process_put_aside();
    prompt_run();
    open_prompt(false);
    taken_tick = timer_ticks();
}

PROCESS_CLIENT(11, .poll = poll_keys, .rare_work = answer);

static void main_loop_of_processes(void)
{
    listen();
    init_start_by_option();
    process_run();
}

MAIN_LOOP(main_loop_of_processes);
