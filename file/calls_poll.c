/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Waiting for several files: poll, select and their variants with a signal mask.
 *
 * Each round asks every file for the events that hold. If there are none, the caller sleeps, and a
 * change of any file that somebody has asked lets all sleepers ask again. Results are written only
 * when the call ends: select() overwrites its own arguments.
 * Source: Linux manual pages poll(2), select(2).
 */
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/timer.h>

#include "open_file.h"

const char poll_channel;

/* ---- how long ---- */

/*
 * The call's progress is the end of the wait, in ticks, cut to 31 bits and never 0. No wait is
 * longer than half of what can be told apart.
 */
enum { END_BITS = 0x7FFFFFFF, END_SIGN = 0x40000000 };

static uint32_t ticks_until(uint32_t end)
{
    uint32_t left = (end - (uint32_t)timer_ticks()) & END_BITS;
    return left & END_SIGN ? 0 : left;
}

/* Of a wait for TICKS ticks. */
static uint32_t ticks_left(const struct process *self, uint32_t ticks)
{
    uint32_t end = progress_of(self, PROGRESS_WAIT);
    return end == 0 ? ticks : ticks_until(end);
}

bool wait_is_over(const struct process *self, uint32_t ticks)
{
    return ticks != WAIT_FOR_EVER && ticks_left(self, ticks) == 0;
}

int32_t wait_sleep(struct process *self, const void *channel, uint32_t ticks)
{
    if (ticks == WAIT_FOR_EVER) {
        progress_note(self, PROGRESS_SLEPT, 1);
        return process_sleep(channel, 0);
    }
    uint32_t left = ticks_left(self, ticks);
    uint32_t end = ((uint32_t)timer_ticks() + left) & END_BITS;
    progress_note(self, PROGRESS_WAIT, end != 0 ? end : 1);
    return process_sleep(channel, timer_ticks() + left);
}

/* What the caller asks for is read from its memory once: a copy is kept while it sleeps. */
struct wait_copy {
    uint32_t call, bytes;
    uint32_t words[];
};

static struct wait_copy *kept_copy(const struct process *self)
{
    return process_state(self, WAIT_COPY_PLACE);
}

static void keep_copy(struct process *self, struct wait_copy *copy)
{
    process_set_state(self, WAIT_COPY_PLACE, copy);
}

static void drop_copy(struct process *self)
{
    kfree(kept_copy(self));
    keep_copy(self, NULL);
}

PROCESS_PART(wait_copy, .drop = drop_copy);

/* A call about BYTES bytes begins, or is repeated. Who was interrupted has left a copy behind. */
static void begin_wait(struct process *self, uint32_t bytes)
{
    const struct wait_copy *copy = kept_copy(self);
    if (copy != NULL && (self->progress.kind == PROGRESS_NONE || copy->call != self->frame.eax ||
                         copy->bytes != bytes))
        drop_copy(self);
}

static kerr_t make_copy(struct process *self, uint32_t bytes)
{
    void *block;
    enum kerr error = kmalloc((uint32_t)offsetof(struct wait_copy, words) + bytes, &block);
    if (error != KERR_OK)
        return error;
    struct wait_copy *copy = block;
    *copy = (struct wait_copy){.call = self->frame.eax, .bytes = bytes};
    keep_copy(self, copy);
    return KERR_OK;
}

enum wait_round { ROUND_COUNT, ROUND_TELL };

/* SECONDS and NANOSECONDS in ticks, up to the next one, and one more for that which has begun. */
static uint32_t ticks_of(uint32_t seconds, uint32_t nanoseconds)
{
    if (seconds >= WAIT_TICKS_MAX / TIMER_HZ)
        return WAIT_TICKS_MAX;
    if (seconds == 0 && nanoseconds == 0)
        return 0;
    return seconds * TIMER_HZ + (nanoseconds + TIMER_TICK_NS - 1) / TIMER_TICK_NS + 1;
}

/* ---- timeouts of programs ---- */

enum { NANOSECONDS = 1000000000, MICROSECONDS = 1000000, NANOSECONDS_PER_MICROSECOND = 1000 };

enum time_layout {
    TIMEVAL,     /* seconds and microseconds, 32 bits each */
    TIMESPEC,    /* seconds and nanoseconds, 32 bits each */
    TIMESPEC_64, /* 64 bits each; the upper half of the nanoseconds is ignored */
};

/*
 * The timeout at ADDRESS (0: none) in ticks. What is left of it is told when the call ends, which can't
 * wait for a page, and must not be read as the timeout by a repeated call: its pages come first.
 * Returns 0, or what the call must return.
 */
static int32_t read_timeout(uint32_t address, enum time_layout layout, uint32_t *ticks)
{
    int32_t words[4] = {0};
    *ticks = WAIT_FOR_EVER;
    if (address == 0)
        return 0;
    const uint32_t bytes = layout == TIMESPEC_64 ? 16 : 8;
    enum kerr error = user_read(words, address, bytes);
    if (error != KERR_OK)
        return user_access_failed(error);
    error = user_touch(address, bytes);
    if (error_goes_by(error))
        return user_access_failed(error);
    int64_t seconds = words[0];
    int32_t part = words[1];
    if (layout == TIMESPEC_64) {
        seconds = (int64_t)words[1] << 32 | (uint32_t)words[0];
        part = words[2];
    } else if (layout == TIMEVAL) { /* a second and more in microseconds is allowed, as in Linux */
        seconds += part / MICROSECONDS;
        part = part % MICROSECONDS * NANOSECONDS_PER_MICROSECOND;
    }
    if (seconds < 0 || (uint32_t)part >= NANOSECONDS)
        return -EINVAL;
    *ticks = seconds > INT32_MAX ? (uint32_t)WAIT_TICKS_MAX
                                 : ticks_of((uint32_t)seconds, (uint32_t)part);
    return 0;
}

/* Linux tells what is left of the timeout, if it can: a program may have it in read-only memory. */
static void write_timeout(const struct process *self, uint32_t address, enum time_layout layout,
                          uint32_t ticks)
{
    if (address == 0)
        return;
    uint32_t left = ticks_left(self, ticks);
    uint32_t nanoseconds = left % TIMER_HZ * TIMER_TICK_NS;
    uint32_t words[4] = {left / TIMER_HZ};
    if (layout == TIMEVAL)
        words[1] = nanoseconds / NANOSECONDS_PER_MICROSECOND;
    else
        words[layout == TIMESPEC ? 1 : 2] = nanoseconds;
    enum kerr ignored = user_write(address, words, layout == TIMESPEC_64 ? 16 : 8);
    (void)ignored;
}

/* ---- the mask of ppoll and pselect ---- */

enum { MASK_BYTES = 8 };

/* Block what the mask at ADDRESS (0: none) says until the call ends (call_look_after()); repeated,
 * that has been done. */
static int32_t replace_mask(struct process *self, uint32_t address, uint32_t bytes)
{
    uint64_t mask;
    if (address == 0 || self->restore_blocked)
        return 0;
    if (bytes != MASK_BYTES)
        return -EINVAL;
    enum kerr error = user_read(&mask, address, sizeof(mask));
    if (error != KERR_OK)
        return user_access_failed(error);
    signal_replace_mask(self, mask);
    return 0;
}

/* ---- poll ---- */

static uint32_t events_of(const struct process *self, uint32_t descriptor)
{
    struct file *file = file_at(self, descriptor);
    if (file == NULL || (file->flags & O_PATH))
        return POLLNVAL;
    return file->operations->poll != NULL ? file->operations->poll(file)
                                          : POLL_READABLE | POLL_WRITABLE;
}

struct poll_entry { /* struct pollfd of the ABI */
    int32_t descriptor;
    uint16_t wanted, found;
};

static uint32_t found_for(const struct process *self, const struct poll_entry *entry)
{
    if (entry->descriptor < 0)
        return 0;
    return events_of(self, (uint32_t)entry->descriptor) &
           (entry->wanted | POLLERR | POLLHUP | POLLNVAL);
}

enum { ENTRY_BYTES = sizeof(struct poll_entry), AT_ONCE = 32 };

/* The next COUNT entries of the list, from INDEX on. */
static kerr_t read_entries(const struct process *self, uint32_t index, uint32_t count,
                           struct poll_entry *entries)
{
    if (kept_copy(self) == NULL)
        return user_read(entries, ARG1 + index * ENTRY_BYTES, count * ENTRY_BYTES);
    memcpy(entries, (const uint8_t *)kept_copy(self)->words + index * ENTRY_BYTES,
           count * ENTRY_BYTES);
    return KERR_OK;
}

/* Only what was found is written, to each entry, changed or not. */
static kerr_t write_found(const struct process *self, uint32_t index, uint32_t count,
                          const struct poll_entry *entries)
{
    enum kerr error = KERR_OK;
    uint32_t address = ARG1 + index * ENTRY_BYTES + offsetof(struct poll_entry, found);
    for (uint32_t i = 0; i < count && error == KERR_OK; i++)
        error = user_write(address + i * ENTRY_BYTES, &entries[i].found, sizeof(entries[i].found));
    return error;
}

/* Ask the files of the list; *READY: how many have any events. */
static kerr_t poll_list(const struct process *self, enum wait_round round, uint32_t *ready)
{
    struct poll_entry entries[AT_ONCE];
    uint32_t part;
    *ready = 0;
    for (uint32_t index = 0; index < ARG2; index += part) {
        part = ARG2 - index < AT_ONCE ? ARG2 - index : AT_ONCE;
        enum kerr error = read_entries(self, index, part, entries);
        for (uint32_t i = 0; i < part && error == KERR_OK; i++) {
            entries[i].found = (uint16_t)found_for(self, &entries[i]);
            *ready += entries[i].found != 0;
        }
        if (error == KERR_OK && round == ROUND_TELL)
            error = write_found(self, index, part, entries);
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

/* Before SELF sleeps in poll: a copy of its list. */
static kerr_t keep_list(struct process *self)
{
    uint32_t bytes = ARG2 * ENTRY_BYTES;
    if (kept_copy(self) != NULL || bytes == 0)
        return KERR_OK;
    enum kerr error = make_copy(self, bytes);
    if (error != KERR_OK)
        return error;
    error = user_read(kept_copy(self)->words, ARG1, bytes);
    if (error != KERR_OK)
        drop_copy(self);
    return error;
}

/* The mask, if there is one, was replaced. *ENDS: the result is the call's own. */
static int32_t poll(struct process *self, uint32_t ticks, bool *ends)
{
    uint32_t ready;
    *ends = false;
    begin_wait(self, ARG2 * ENTRY_BYTES);
    enum kerr error = poll_list(self, ROUND_COUNT, &ready);
    if (error == KERR_OK && ready == 0 && !wait_is_over(self, ticks)) {
        error = keep_list(self);
        if (error == KERR_OK)
            return wait_sleep(self, &poll_channel, ticks);
    }
    if (error == KERR_OK)
        error = poll_list(self, ROUND_TELL, &ready);
    if (error_goes_by(error))
        return user_access_failed(error);
    *ends = true;
    drop_copy(self);
    if (error == KERR_NO_ROOM)
        return -ENOMEM;
    return error == KERR_OK ? (int32_t)ready : user_access_failed(error);
}

SYSTEM_CALL(168, poll)
{
    enum { MILLISECONDS = 1000, NANOSECONDS_PER_MILLISECOND = 1000000 };
    int32_t timeout = (int32_t)ARG3;
    bool ends;
    if (ARG2 > descriptor_limit(self))
        return -EINVAL;
    uint32_t ticks = timeout < 0
                         ? (uint32_t)WAIT_FOR_EVER
                         : ticks_of((uint32_t)timeout / MILLISECONDS,
                                    (uint32_t)timeout % MILLISECONDS * NANOSECONDS_PER_MILLISECOND);
    return poll(self, ticks, &ends);
}

static int32_t ppoll(struct process *self, enum time_layout layout)
{
    uint32_t ticks;
    bool ends;
    if (ARG2 > descriptor_limit(self))
        return -EINVAL;
    int32_t result = read_timeout(ARG3, layout, &ticks);
    if (result == 0)
        result = replace_mask(self, ARG4, ARG5);
    if (result != 0)
        return result;
    result = poll(self, ticks, &ends);
    if (ends)
        write_timeout(self, ARG3, layout, ticks);
    return result;
}

SYSTEM_CALL(309, ppoll)
{
    return ppoll(self, TIMESPEC);
}

SYSTEM_CALL(414, ppoll_time64)
{
    return ppoll(self, TIMESPEC_64);
}

/* ---- select ---- */

enum { SETS = 3, WORD_BITS = 32, WORD_BYTES = 4 };

/* What a call of select() is about: addresses of a program's. */
struct select_wish {
    uint32_t count;      /* descriptors */
    uint32_t sets[SETS]; /* to be read, written, and with something special; 0: none */
    uint32_t timeout;
    enum time_layout layout;
};

/* The events that put a descriptor into each set. */
static const uint32_t set_events[SETS] = {POLL_READABLE | POLLRDBAND | POLLHUP | POLLERR,
                                          POLL_WRITABLE | POLLWRBAND | POLLERR, POLLPRI};

/* Ask the files of word INDEX of the sets; WORDS holds what is asked, then what is found. */
static int32_t select_word(const struct process *self, uint32_t index, uint32_t *words,
                           uint32_t *ready)
{
    uint32_t found[SETS] = {0};
    uint32_t any = words[0] | words[1] | words[2];
    for (uint32_t bit = 0; bit < WORD_BITS; bit++) {
        if ((any >> bit & 1) == 0)
            continue;
        uint32_t events = events_of(self, index * WORD_BITS + bit);
        if (events & POLLNVAL)
            return -EBADF;
        for (unsigned set = 0; set < SETS; set++)
            if ((words[set] >> bit & 1) != 0 && (events & set_events[set]) != 0) {
                found[set] |= 1u << bit;
                ++*ready;
            }
    }
    for (unsigned set = 0; set < SETS; set++)
        words[set] = found[set];
    return 0;
}

/* Words in a set, and bytes of all sets. */
static uint32_t set_words(const struct select_wish *wish)
{
    return (wish->count + WORD_BITS - 1) / WORD_BITS;
}

static uint32_t sets_bytes(const struct select_wish *wish)
{
    return set_words(wish) * SETS * WORD_BYTES;
}

/* Word INDEX of each set. */
static kerr_t read_words(const struct process *self, const struct select_wish *wish, uint32_t index,
                         uint32_t words[SETS])
{
    const struct wait_copy *copy = kept_copy(self);
    enum kerr error = KERR_OK;
    for (unsigned set = 0; set < SETS && error == KERR_OK; set++) {
        words[set] = 0;
        if (copy != NULL)
            words[set] = copy->words[index * SETS + set];
        else if (wish->sets[set] != 0)
            error = user_read(&words[set], wish->sets[set] + index * WORD_BYTES, WORD_BYTES);
    }
    return error;
}

/* Before SELF sleeps in select: a copy of its sets, word by word. */
static kerr_t keep_sets(struct process *self, const struct select_wish *wish)
{
    if (kept_copy(self) != NULL || wish->count == 0)
        return KERR_OK;
    enum kerr error = make_copy(self, sets_bytes(wish));
    if (error != KERR_OK)
        return error;
    struct wait_copy *copy = kept_copy(self);
    keep_copy(self, NULL); /* until it is filled, from the program's memory */
    for (uint32_t index = 0; index < set_words(wish) && error == KERR_OK; index++)
        error = read_words(self, wish, index, copy->words + index * SETS);
    keep_copy(self, copy);
    if (error != KERR_OK)
        drop_copy(self);
    return error;
}

/* Go over all words of the sets; in the second round the sets are overwritten. */
static int32_t select_round(struct process *self, const struct select_wish *wish,
                            enum wait_round round, uint32_t *ready)
{
    *ready = 0;
    for (uint32_t index = 0; index < set_words(wish); index++) {
        uint32_t words[SETS], left = wish->count - index * WORD_BITS;
        enum kerr error = read_words(self, wish, index, words);
        if (error != KERR_OK)
            return user_access_failed(error);
        for (unsigned set = 0; set < SETS && left < WORD_BITS; set++)
            words[set] &= (1u << left) - 1;
        int32_t result = select_word(self, index, words, ready);
        if (result != 0)
            return result;
        for (unsigned set = 0; set < SETS && round == ROUND_TELL && error == KERR_OK; set++)
            if (wish->sets[set] != 0)
                error = user_write(wish->sets[set] + index * WORD_BYTES, &words[set], WORD_BYTES);
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    return 0;
}

/* Some words are results before the last one is written: the sets must be writable before the first. */
static int32_t touch_sets(const struct select_wish *wish)
{
    enum kerr error = KERR_OK;
    for (unsigned set = 0; set < SETS && error == KERR_OK; set++)
        if (wish->sets[set] != 0)
            error = user_touch(wish->sets[set], set_words(wish) * WORD_BYTES);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* Descriptors behind the end of the table don't count, as in Linux. */
static int32_t select(struct process *self, struct select_wish wish)
{
    uint32_t ticks, ready;
    if ((int32_t)wish.count < 0)
        return -EINVAL;
    if (wish.count > files_of(self)->capacity)
        wish.count = files_of(self)->capacity;
    begin_wait(self, sets_bytes(&wish));
    int32_t result = read_timeout(wish.timeout, wish.layout, &ticks);
    if (result == 0)
        result = select_round(self, &wish, ROUND_COUNT, &ready);
    if (result == 0 && ready == 0 && !wait_is_over(self, ticks)) {
        enum kerr error = keep_sets(self, &wish);
        if (error == KERR_OK)
            return wait_sleep(self, &poll_channel, ticks);
        result = error == KERR_NO_ROOM ? -ENOMEM : user_access_failed(error);
    }
    if (result == 0)
        result = touch_sets(&wish);
    if (result == 0)
        result = select_round(self, &wish, ROUND_TELL, &ready);
    if (result > 0)
        return result; /* out of memory: the call is repeated */
    drop_copy(self);
    if (result == 0)
        write_timeout(self, wish.timeout, wish.layout, ticks);
    return result < 0 ? result : (int32_t)ready;
}

SYSTEM_CALL(142, _newselect)
{
    return select(self, (struct select_wish){ARG1, {ARG2, ARG3, ARG4}, ARG5, TIMEVAL});
}

/* The old call has its arguments in memory. */
SYSTEM_CALL(82, select)
{
    uint32_t words[5];
    enum kerr error = user_read(words, ARG1, sizeof(words));
    if (error != KERR_OK)
        return user_access_failed(error);
    return select(
        self, (struct select_wish){words[0], {words[1], words[2], words[3]}, words[4], TIMEVAL});
}

static int32_t pselect(struct process *self, enum time_layout layout)
{
    uint32_t mask[2] = {0}; /* address, bytes */
    enum kerr error = ARG6 != 0 ? user_read(mask, ARG6, sizeof(mask)) : KERR_OK;
    if (error != KERR_OK)
        return user_access_failed(error);
    int32_t result = replace_mask(self, mask[0], mask[1]);
    if (result != 0)
        return result;
    return select(self, (struct select_wish){ARG1, {ARG2, ARG3, ARG4}, ARG5, layout});
}

SYSTEM_CALL(308, pselect6)
{
    return pselect(self, TIMESPEC);
}

SYSTEM_CALL(413, pselect6_time64)
{
    return pselect(self, TIMESPEC_64);
}
