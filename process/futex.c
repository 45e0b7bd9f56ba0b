/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Futexes: a program compares a word and sleeps, until somebody is told to wake it.
 *
 * A word is known by the object and the place in it if it is shared, else by memory and address
 * (FUTEX_PRIVATE says so without a look, and is a key of its own). Waiters with keys of one hash
 * wait in one list, those who came first in front. Who wakes one ends its call for it: a waiter
 * that is in no list any more was woken, or its call is repeated and compares the word again.
 * Locks with priority inheritance are not there.
 * Source: Linux manual pages futex(2), set_tid_address(2).
 */
#include <process/futex.h>

#include <kernel/layer.h>
#include <mm/object.h>
#include <process/clock.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/system_call.h>
#include <process/timer.h>

enum futex_operation {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
    FUTEX_FLAGS = FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME,
};
enum { ALL_BITS = -1, BUCKETS = 256, WORD_IS_PRIVATE = 1 };

static struct list buckets[BUCKETS];

/* ---- keys ---- */

/* Of the word at ADDRESS, which is aligned. */
static struct futex_key key_of(const struct memory *memory, uint32_t address, uint32_t operation)
{
    uint32_t page = address >> PAGE_SHIFT, word = address % PAGE_BYTES;
    if (operation & FUTEX_PRIVATE)
        return (struct futex_key){memory, page, word | WORD_IS_PRIVATE};
    const struct vma *region = vma_find(&memory->space, VADDR(address));
    if (region == NULL || !(region->flags & VMA_SHARED))
        return (struct futex_key){memory, page, word};
    return (struct futex_key){region->object, page - region->first_page + region->object_page,
                              word};
}

/*
 * *KEY is that of the word at ADDRESS, which must be aligned, and where it may be shared, be there.
 *   returns 0, or what the call is to return
 */
static int32_t find_key(const struct process *self, uint32_t address, struct futex_key *key)
{
    uint32_t value;
    if (address % sizeof(value) != 0)
        return -EINVAL;
    if (address >= KERNEL_BASE)
        return -EFAULT;
    if (!(ARG2 & FUTEX_PRIVATE)) {
        enum kerr error = user_read(&value, address, sizeof(value));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    *key = key_of(self->memory, address, ARG2);
    return 0;
}

static bool is_same(const struct futex_key *left, const struct futex_key *right)
{
    return left->owner == right->owner && left->page == right->page && left->word == right->word;
}

static struct list *bucket_of(const struct futex_key *key)
{
    uint32_t owner = pointer_to_vaddr(key->owner).v;
    return &buckets[(owner >> 4 ^ owner >> 12 ^ key->page * 31 ^ key->word >> 2) % BUCKETS];
}

/* ---- waiting ---- */

static struct process *process_of(const struct list *link)
{
    return container_of(link, struct process, queue);
}

/* The bits that SELF, who waits, wants to be woken by: its call says so as long as it sleeps. */
static uint32_t wanted_bits(const struct process *self)
{
    bool has_bits = (ARG2 & ~(uint32_t)FUTEX_FLAGS) == FUTEX_WAIT_BITSET;
    return has_bits ? ARG6 : (uint32_t)ALL_BITS;
}

/* The deadline of a wait; 0: none. */
static int32_t deadline_of(struct process *self, enum time_format format, uint64_t *deadline)
{
    struct time time;
    *deadline = 0;
    if (ARG4 == 0)
        return 0;
    int32_t result = time_read(ARG4, format, &time);
    if (result != 0)
        return result;
    uint64_t ticks = time_to_ticks(time);
    if ((ARG2 & ~(uint32_t)FUTEX_FLAGS) ==
        FUTEX_WAIT_BITSET) { /* not from now on, but until then */
        uint64_t now =
            time_to_ticks(ARG2 & FUTEX_CLOCK_REALTIME ? clock_real() : clock_monotonic());
        ticks = ticks > now ? ticks - now : 0;
    }
    *deadline = wait_deadline(self, ticks);
    return 0;
}

/* In no list if a signal is pending: then the sleep has not begun. */
static int32_t sleep_on(struct process *self, const struct futex_key *key, uint64_t deadline)
{
    int32_t result = process_sleep(NULL, deadline);
    if (self->state == PROCESS_SLEEPING) {
        self->futex = *key;
        self->channel = bucket_of(key);
        list_add_last(bucket_of(key), &self->queue);
    }
    return result;
}

static int32_t futex_wait(struct process *self, enum time_format format)
{
    uint32_t value = 0;
    uint64_t deadline;
    struct futex_key key = {0};
    bool has_slept = progress_of(self, PROGRESS_WAIT) != 0;
    int32_t result = deadline_of(self, format, &deadline);
    if (result == 0 && wanted_bits(self) == 0)
        result = -EINVAL;
    if (result == 0 && has_slept && deadline <= timer_ticks())
        result = -ETIMEDOUT;
    if (result == 0)
        result = find_key(self, ARG1, &key);
    if (result == 0) {
        enum kerr error = user_read(&value, ARG1, sizeof(value));
        result = error != KERR_OK ? user_access_failed(error) : value != ARG3 ? -EAGAIN : 0;
    }
    return result == 0 ? sleep_on(self, &key, deadline) : result;
}

/* ---- waking ---- */

/* Wake the first waiters for KEY with one of BITS, until there are COUNT. Returns how many. */
static int32_t wake(const struct futex_key *key, int32_t count, uint32_t bits)
{
    struct list *bucket = bucket_of(key);
    int32_t woken = 0;
    for (struct list *link = bucket->next, *next; link != bucket; link = next) {
        struct process *waiter = process_of(link);
        next = link->next;
        if (!is_same(&waiter->futex, key) || (wanted_bits(waiter) & bits) == 0)
            continue;
        process_end_call(waiter, 0);
        if (++woken >= count) /* so that one is woken if 0 are asked for, as on Linux */
            break;
    }
    return woken;
}

static int32_t futex_wake(const struct process *self, uint32_t bits)
{
    struct futex_key key = {0};
    if (bits == 0)
        return -EINVAL;
    int32_t result = find_key(self, ARG1, &key);
    return result != 0 ? result : wake(&key, (int32_t)ARG3, bits);
}

void futex_wake_one(const struct process *process, uint32_t address)
{
    if (address % sizeof(uint32_t) != 0)
        return;
    const struct futex_key key = key_of(process->memory, address, 0);
    (void)wake(&key, 1, (uint32_t)ALL_BITS);
}

/* Wake WAKE_COUNT waiters for FROM; up to MOVE_COUNT more wait for TO. Returns how many of both. */
static int32_t requeue(const struct futex_key *from, const struct futex_key *to, int32_t wake_count,
                       int32_t move_count)
{
    struct list *bucket = bucket_of(from);
    int32_t done = 0;
    for (struct list *link = bucket->next, *next; link != bucket && done - wake_count < move_count;
         link = next) {
        struct process *waiter = process_of(link);
        next = link->next;
        if (!is_same(&waiter->futex, from))
            continue;
        if (++done <= wake_count) {
            process_end_call(waiter, 0);
            continue;
        }
        waiter->futex = *to;
        waiter->channel = bucket_of(to);
        if (bucket_of(to) == bucket)
            continue;
        list_remove(&waiter->queue);
        list_add_last(bucket_of(to), &waiter->queue);
    }
    return done;
}

static int32_t futex_requeue(const struct process *self, bool compares)
{
    struct futex_key from = {0}, to = {0};
    uint32_t value = 0;
    int32_t wake_count = (int32_t)ARG3, move_count = (int32_t)ARG4;
    if (wake_count < 0 || move_count < 0)
        return -EINVAL;
    int32_t result = find_key(self, ARG1, &from);
    if (result == 0)
        result = find_key(self, ARG5, &to);
    if (result != 0)
        return result;
    if (compares) {
        enum kerr error = user_read(&value, ARG1, sizeof(value));
        if (error != KERR_OK)
            return user_access_failed(error);
        if (value != ARG6)
            return -EAGAIN;
    }
    return requeue(&from, &to, wake_count, move_count);
}

/* ---- FUTEX_WAKE_OP ---- */

enum wake_operation { OP_SET, OP_ADD, OP_OR, OP_ANDN, OP_XOR, OPS };
enum wake_comparison { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMPS };

/* What the second word is to become, and by what its old value decides: parts of the argument. */
struct wake_op {
    uint32_t comparand, operand; /* 12 bits */
    uint32_t comparison, operation;
    bool is_shift; /* the operand is the number of a bit */
};

static struct wake_op decode(uint32_t argument)
{
    return (struct wake_op){.comparand = argument & 0xFFF,
                            .operand = argument >> 12 & 0xFFF,
                            .comparison = argument >> 24 & 0xF,
                            .operation = argument >> 28 & 7,
                            .is_shift = argument >> 31 != 0};
}

static int32_t extend(uint32_t bits)
{
    return (int32_t)(bits << 20) >> 20;
}

static uint32_t operate(struct wake_op op, uint32_t old)
{
    uint32_t operand = op.is_shift ? 1u << op.operand % 32 : (uint32_t)extend(op.operand);
    switch ((enum wake_operation)op.operation) {
    case OP_ADD:
        return old + operand;
    case OP_OR:
        return old | operand;
    case OP_ANDN:
        return old & ~operand;
    case OP_XOR:
        return old ^ operand;
    case OP_SET:
    case OPS:
    default:
        return operand;
    }
}

static bool compare(struct wake_op op, uint32_t old)
{
    int32_t left = (int32_t)old, right = extend(op.comparand);
    switch ((enum wake_comparison)op.comparison) {
    case CMP_EQ:
        return left == right;
    case CMP_NE:
        return left != right;
    case CMP_LT:
        return left < right;
    case CMP_LE:
        return left <= right;
    case CMP_GT:
        return left > right;
    case CMP_GE:
    case CMPS:
    default:
        return left >= right;
    }
}

/* Change the second word; wake waiters for the first, and for the second if it was so. */
static int32_t futex_wake_op(const struct process *self)
{
    struct futex_key first = {0}, second = {0};
    uint32_t old = 0;
    struct wake_op op = decode(ARG6);
    int32_t result = find_key(self, ARG1, &first);
    if (result == 0)
        result = find_key(self, ARG5, &second);
    if (result != 0)
        return result;
    if (op.operation >= OPS || op.comparison >= CMPS)
        return -ENOSYS;
    enum kerr error = user_read(&old, ARG5, sizeof(old));
    const uint32_t new = operate(op, old);
    if (error == KERR_OK)
        error = user_write(ARG5, &new, sizeof(new));
    if (error != KERR_OK)
        return user_access_failed(error);
    result = wake(&first, (int32_t)ARG3, (uint32_t)ALL_BITS);
    if (compare(op, old))
        result += wake(&second, (int32_t)ARG4, (uint32_t)ALL_BITS);
    return result;
}

/* ---- the calls ---- */

static int32_t futex(struct process *self, enum time_format format)
{
    uint32_t operation = ARG2 & ~(uint32_t)FUTEX_FLAGS;
    if ((ARG2 & FUTEX_CLOCK_REALTIME) && operation != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    switch (operation) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return futex_wait(self, format);
    case FUTEX_WAKE:
        return futex_wake(self, (uint32_t)ALL_BITS);
    case FUTEX_WAKE_BITSET:
        return futex_wake(self, ARG6);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(self, operation == FUTEX_CMP_REQUEUE);
    case FUTEX_WAKE_OP:
        return futex_wake_op(self);
    default:
        return -ENOSYS;
    }
}

SYSTEM_CALL(240, futex)
{
    return futex(self, TIME_32);
}

SYSTEM_CALL(422, futex_time64)
{
    return futex(self, TIME_64);
}

static enum kerr futex_init(const struct boot_info *boot)
{
    (void)boot;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&buckets[i]);
    return KERR_OK;
}

LAYER(08b_futex, "futexes", futex_init);
