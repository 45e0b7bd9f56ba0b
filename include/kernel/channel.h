/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: who answers faults and calls with "must wait", and who waits.
 *
 * What is waited for. A page that has to come from somewhere can't be waited for in the middle of a
 * fault: whoever was asked leaves a channel behind and answers FAULT_MUST_WAIT or KERR_MUST_WAIT;
 * the asker unwinds as for "no memory", waits on the channel, and asks again. There is one event at
 * a time, so one place is enough to leave it in.
 */
#ifndef KERNEL_CHANNEL_H
#define KERNEL_CHANNEL_H

#include <kernel/types.h>

struct channel {
    /*
     * To ask again makes sense: what was waited for has come, or failed, or there is a free place
     * in a queue. May look at a device, and move it on; never waits. A device that does not answer
     * in its time is its driver's affair: the channel is ready then, and who asks gets an error.
     */
    bool (*is_ready)(struct channel *channel);
};

/* The answer is "must wait": on CHANNEL, which lives at least until it has been ready. */
void channel_leave(struct channel *channel);

/* The channel of the last such answer; NULL: there was none. */
struct channel *channel_left(void);

/* The kernel's own context, which nobody can put to sleep, waits: it asks until that one is
 * ready. */
void channel_poll(void);

/*
 * What CHANNEL stands for has happened, an interrupt says: those that sleep on it go on. WAKE is
 * how that is done, registered once by the layer that knows sleepers; without one nobody sleeps.
 */
void channel_wake(const struct channel *channel);
void channel_register(void (*wake)(const struct channel *channel));

#endif
