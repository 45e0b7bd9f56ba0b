/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: process. Used by: program/init.c, prompt/attention.c, which register themselves;
 * process/, file/ and prompt/, which ask.
 *
 * What layers above want to be asked for while processes run. process/ finds them in a linker set,
 * and calls them in the order of layers.
 */
#ifndef PROCESS_CLIENT_H
#define PROCESS_CLIENT_H

#include <process/process.h>

/* A hook that is NULL is left out. */
struct process_client {
    /* Look at your devices: at each tick, between events. */
    void (*poll)(void);
    /* ZOMBIE, a child of the kernel's, is reaped next. On the way out of the kernel. */
    void (*ended)(const struct process *zombie);
    /* On the way out, if somebody said process_request_rare_work(); and when no process is left.
     * May end processes, put the current one aside, run the prompt. */
    void (*rare_work)(void);
    /* Process 1 has ended, or the machine is about to be left: let go of what others keep for good. No
     * program runs any more. */
    void (*stop)(void);
};

/* PROCESS_CLIENT(10, .rare_work = ...): ORDER is the layer, in two digits. */
#define PROCESS_CLIENT(order, ...)                                                                 \
    static const struct process_client process_client_##order                                      \
        __attribute__((section(".process_clients." #order), used)) = {__VA_ARGS__}

/* The set, in order; from linker.ld. */
extern const struct process_client process_clients_first[], process_clients_end[];

/* Each hook of all of them; before the last, all processes end, as who holds a file keeps its file system. */
void process_clients_poll(void);
void process_clients_ended(const struct process *zombie);
void process_clients_rare_work(void);
void process_clients_stop(void);

#endif
