/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. What is waited for (channel.h).
 */
#include <kernel/channel.h>

#include <kernel/panic.h>

static struct channel *left;
static void (*wake_sleepers)(const struct channel *channel);

void channel_leave(struct channel *channel)
{
    left = channel;
}

struct channel *channel_left(void)
{
    return left;
}

void channel_poll(void)
{
    ASSERT(left != NULL, "a wait for nothing");
    while (!left->is_ready(left)) {
    }
}

void channel_register(void (*wake)(const struct channel *channel))
{
    wake_sleepers = wake;
}

void channel_wake(const struct channel *channel)
{
    if (wake_sleepers != NULL)
        wake_sleepers(channel);
}
