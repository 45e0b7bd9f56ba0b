/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Keys while processes run, and the key that stops them: all go to the terminal
 * but ^] (and a break on the serial line), which freezes the processes and opens the prompt.
 * `resume` there lets them go on.
 */

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
#include <program/init.h>
#include <prompt/prompt.h>

enum { NO_KEY = -1 };

static bool is_wanted;        /* somebody pressed ^] */
static bool prompt_is_open;   /* keys are the prompt's */
static int held_key = NO_KEY; /* the terminal had no room for it */

/* Hand waiting keys on. While the prompt is open they are the prompt's. */
static void poll_keys(void)
{
    if (prompt_is_open)
        return;
    /* It overtakes what nobody reads. */
    if (console_take_key(KEY_ATTENTION)) {
        is_wanted = true;
        process_request_rare_work();
        return;
    }
    for (;;) {
        int key = held_key != NO_KEY ? held_key : console_poll_key();
        held_key = NO_KEY;
        if (key < 0)
            return;
        if (!terminal_take_key(key)) {
            held_key = key;
            return;
        }
    }
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
}

/* If somebody asked for the prompt, or no process is left: open it. */
static void answer(void)
{
    bool is_last = process_count() == 0;
    if (!is_wanted && !is_last)
        return;
    if (is_last) { /* what was kept warm for processes goes back */
        heap_trim(&kernel_heap, 0);
        vma_trim();
    } else {
        printk("\n[%u processes frozen; `resume` lets them go on]\n", process_count());
    }
    is_wanted = false;
    process_put_aside();
    prompt_is_open = true;
    prompt_run();
    prompt_is_open = false;
}

PROCESS_CLIENT(11, .poll = poll_keys, .rare_work = answer);

static void main_loop_of_processes(void)
{
    listen();
    init_start_by_option();
    process_run();
}

MAIN_LOOP(main_loop_of_processes);
