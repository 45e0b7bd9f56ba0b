/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Locks of files, which bind those alone who ask for them: fcntl()'s of ranges, which belong
 * to a process (or, F_OFD_..., to an open file), and flock()'s of whole files, which belong to an
 * open file.
 *
 * The locks of an inode are in a row by owner and place; those of one owner do not overlap, and those
 * of one kind that touch are one. The two families do not see each other, as in Linux.
 * Source: Linux manual pages fcntl(2), flock(2).
 */
#include "locks.h"

#include <kernel/panic.h>
#include <mm/heap.h>

enum { LOCKS_MAX = 0x4000 };

struct file_lock {
    struct list link;  /* of the inode's */
    const void *owner; /* a process, or a file */
    uint64_t first, last;
    uint32_t pid; /* who asked; flock()'s and those of open files: -1 */
    bool is_whole, is_exclusive;
};

static uint32_t lock_count;
static const char lock_channel; /* what all sleep on that want a lock */

static void free_lock(struct file_lock *lock)
{
    list_remove(&lock->link);
    kfree(lock);
    lock_count--;
}

/* ---- looking ---- */

static bool overlap(const struct file_lock *lock, const struct lock_wish *wish)
{
    return lock->first <= wish->last && wish->first <= lock->last;
}

static struct file_lock *next_lock(struct inode *inode, struct list *link)
{
    return link->next == &inode->locks ? NULL : container_of(link->next, struct file_lock, link);
}

/* A lock that WISH must wait for, or NULL. */
static const struct file_lock *find_conflict(struct inode *inode, const struct lock_wish *wish)
{
    for (const struct file_lock *lock = next_lock(inode, &inode->locks); lock != NULL;
         lock = next_lock(inode, (struct list *)(uintptr_t)&lock->link))
        if (lock->owner != wish->owner && lock->is_whole == wish->is_whole && overlap(lock, wish) &&
            (lock->is_exclusive || wish->kind == LOCK_KIND_EXCLUSIVE))
            return lock;
    return NULL;
}

/* ---- changing ---- */

/* So many records more may be needed: they are made before anything changes. */
static enum kerr prepare(struct file_lock *spare[2])
{
    for (unsigned i = 0; i < 2; i++) {
        void *block;
        enum kerr error =
            lock_count + i < LOCKS_MAX ? kmalloc(sizeof(struct file_lock), &block) : KERR_NO_ROOM;
        if (error != KERR_OK) {
            while (i-- > 0)
                kfree(spare[i]);
            return error;
        }
        spare[i] = block;
    }
    return KERR_OK;
}

static void add(struct inode *inode, struct file_lock **spare, const struct file_lock *contents)
{
    struct file_lock *lock = *spare;
    ASSERT(lock != NULL, "a change makes more locks than two");
    *spare = NULL;
    *lock = *contents;
    list_add_last(&inode->locks, &lock->link);
    lock_count++;
}

/* LOCK, of the wish's owner, gives up what WISH is about; what it has behind that becomes a lock of its
 * own. */
static void cut(struct inode *inode, struct file_lock *lock, const struct lock_wish *wish,
                struct file_lock **spare)
{
    struct file_lock behind = *lock;
    bool has_behind = lock->last > wish->last;
    behind.first = wish->last + 1;
    if (lock->first < wish->first) {
        lock->last = wish->first - 1;
        if (has_behind)
            add(inode, spare, &behind);
    } else if (has_behind) {
        lock->first = behind.first;
    } else {
        free_lock(lock);
    }
}

/* WISH grows over LOCK, which it touches and is like, and LOCK goes. */
static bool join(struct file_lock *lock, struct lock_wish *wish)
{
    bool touches = (lock->first <= wish->last || lock->first == wish->last + 1) &&
                   (wish->first <= lock->last || wish->first == lock->last + 1);
    if (!touches || lock->is_exclusive != (wish->kind == LOCK_KIND_EXCLUSIVE))
        return false;
    wish->first = lock->first < wish->first ? lock->first : wish->first;
    wish->last = lock->last > wish->last ? lock->last : wish->last;
    free_lock(lock);
    return true;
}

static void wake(void)
{
    process_wake(&lock_channel);
}

static enum kerr change(struct inode *inode, struct lock_wish wish)
{
    struct file_lock *spare[2], *next;
    enum kerr error = prepare(spare);
    if (error != KERR_OK)
        return error;
    for (struct file_lock *lock = next_lock(inode, &inode->locks); lock != NULL; lock = next) {
        next = next_lock(inode, &lock->link);
        if (lock->owner != wish.owner || lock->is_whole != wish.is_whole)
            continue;
        if ((wish.kind == LOCK_KIND_NONE || !join(lock, &wish)) && overlap(lock, &wish))
            cut(inode, lock, &wish, &spare[0]);
    }
    if (wish.kind != LOCK_KIND_NONE)
        add(inode, &spare[1],
            &(struct file_lock){.owner = wish.owner,
                                .first = wish.first,
                                .last = wish.last,
                                .pid = wish.pid,
                                .is_whole = wish.is_whole,
                                .is_exclusive = wish.kind == LOCK_KIND_EXCLUSIVE});
    kfree(spare[0]);
    kfree(spare[1]);
    wake(); /* less may be locked now */
    return KERR_OK;
}

static void end_locks(struct inode *inode, const void *owner)
{
    struct file_lock *next;
    for (struct file_lock *lock = next_lock(inode, &inode->locks); lock != NULL; lock = next) {
        next = next_lock(inode, &lock->link);
        if (lock->owner == owner) {
            free_lock(lock);
            wake();
        }
    }
}

void locks_end_with_process(struct inode *inode, const struct process *process)
{
    end_locks(inode, process);
}

void locks_end_with_file(const struct file *file)
{
    end_locks(file->inode, file);
}

/* ---- deadlocks ---- */

/* Whom a process that sleeps for a lock waits for: the owner of a lock, a process. */
static const struct process *waits_for(const struct process *process)
{
    return process->channel == &lock_channel && process->state == PROCESS_SLEEPING
               ? process_find(process->progress.last)
               : NULL;
}

/* SELF would wait for OWNER, who waits for SELF, perhaps by way of others. */
static bool would_lock_up(const struct process *self, const struct process *owner)
{
    enum { STEPS_MAX = 16 };
    for (unsigned i = 0; owner != NULL && i < STEPS_MAX; i++) {
        if (owner == self)
            return true;
        owner = waits_for(owner);
    }
    return false;
}

/* ---- the deed ---- */

int32_t lock_set(struct process *self, struct inode *inode, const struct lock_wish *wish)
{
    const struct file_lock *conflict =
        wish->kind == LOCK_KIND_NONE ? NULL : find_conflict(inode, wish);
    if (conflict == NULL) {
        enum kerr error = change(inode, *wish);
        return error == KERR_OK ? 0 : error == KERR_NO_ROOM ? -ENOLCK : process_out_of_memory();
    }
    uint32_t pid = conflict->pid;
    if (wish->is_whole) /* what the file had is given up before it waits for another kind */
        end_locks(inode, wish->owner);
    if (!wish->waits)
        return -EAGAIN;
    if (wish->owner == self && would_lock_up(self, process_find(pid)))
        return -EDEADLK;
    self->progress.last = wish->owner == self ? pid : 0;
    return process_sleep(&lock_channel, 0);
}

bool lock_find(struct inode *inode, struct lock_wish *wish)
{
    const struct file_lock *conflict = find_conflict(inode, wish);
    if (conflict == NULL)
        return false;
    wish->kind = conflict->is_exclusive ? LOCK_KIND_EXCLUSIVE : LOCK_KIND_SHARED;
    wish->first = conflict->first;
    wish->last = conflict->last;
    wish->pid = conflict->pid;
    return true;
}

/* ---- flock ---- */

SYSTEM_CALL(143, flock)
{
    enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8 };
    struct file *file = file_at(self, ARG1);
    uint32_t operation = ARG2 & ~(uint32_t)LOCK_NB;
    if (operation != LOCK_SH && operation != LOCK_EX && operation != LOCK_UN)
        return -EINVAL;
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->inode == NULL)
        return -EINVAL; /* a pipe without a name */
    const struct lock_wish wish = {.owner = file,
                                   .last = UINT64_MAX,
                                   .pid = LOCK_OF_NOBODY,
                                   .is_whole = true,
                                   .kind = operation == LOCK_EX   ? LOCK_KIND_EXCLUSIVE
                                           : operation == LOCK_SH ? LOCK_KIND_SHARED
                                                                  : LOCK_KIND_NONE,
                                   .waits = !(ARG2 & LOCK_NB)};
    return lock_set(self, file->inode, &wish);
}

/* ---- fcntl ---- */

enum lock_command {
    F_GETLK = 5,
    F_SETLK,
    F_SETLKW,
    F_GETLK64 = 12,
    F_SETLK64,
    F_SETLKW64,
    F_OFD_GETLK = 36,
    F_OFD_SETLK,
    F_OFD_SETLKW,
};
enum lock_type { F_RDLCK, F_WRLCK, F_UNLCK };
enum { SEEK_SET, SEEK_CUR, SEEK_END };

struct flock {
    int16_t type, whence;
    int32_t start, length, pid;
};
_Static_assert(sizeof(struct flock) == 16, "as the i386 ABI has it");

struct flock64 {
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
} __attribute__((packed));
_Static_assert(sizeof(struct flock64) == 24, "as the i386 ABI has it");

static int32_t read_flock(uint32_t address, bool is_64, struct flock64 *lock)
{
    struct flock small = {0};
    enum kerr error =
        is_64 ? user_read(lock, address, sizeof(*lock)) : user_read(&small, address, sizeof(small));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (!is_64)
        *lock = (struct flock64){small.type, small.whence, small.start, small.length, small.pid};
    return 0;
}

static int32_t write_flock(uint32_t address, bool is_64, const struct flock64 *lock)
{
    const struct flock small = {lock->type, lock->whence, (int32_t)lock->start,
                                (int32_t)lock->length, lock->pid};
    if (!is_64 && (lock->start > INT32_MAX || lock->length > INT32_MAX))
        return -EOVERFLOW;
    enum kerr error = is_64 ? user_replace(address, lock, sizeof(*lock))
                            : user_replace(address, &small, sizeof(small));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* The range of LOCK, of FILE. */
static int32_t range_of(const struct file *file, const struct flock64 *lock, struct lock_wish *wish)
{
    int64_t base = 0;
    if (lock->whence == SEEK_CUR)
        base = (int64_t)file->offset;
    else if (lock->whence == SEEK_END)
        base = (int64_t)file->inode->status.bytes;
    else if (lock->whence != SEEK_SET)
        return -EINVAL;
    if (lock->start > INT64_MAX - base)
        return -EOVERFLOW;
    int64_t start = base + lock->start, last = INT64_MAX;
    if (start < 0)
        return -EINVAL;
    if (lock->length > 0) {
        if (lock->length - 1 > INT64_MAX - start)
            return -EOVERFLOW;
        last = start + lock->length - 1;
    } else if (lock->length < 0) {
        if (start + lock->length < 0)
            return -EINVAL;
        last = start - 1;
        start += lock->length;
    }
    wish->first = (uint64_t)start;
    wish->last = (uint64_t)last;
    return 0;
}

static int32_t tell_conflict(struct inode *inode, struct lock_wish *wish, struct flock64 *lock,
                             uint32_t address, bool is_64)
{
    if (!lock_find(inode, wish)) {
        lock->type = F_UNLCK;
        return write_flock(address, is_64, lock);
    }
    *lock = (struct flock64){
        .type = wish->kind == LOCK_KIND_EXCLUSIVE ? F_WRLCK : F_RDLCK,
        .whence = SEEK_SET,
        .start = (int64_t)wish->first,
        .length = wish->last == INT64_MAX ? 0 : (int64_t)(wish->last - wish->first + 1),
        .pid = (int32_t)wish->pid};
    return write_flock(address, is_64, lock);
}

bool lock_is_command(uint32_t command)
{
    return (command >= F_GETLK && command <= F_SETLKW) ||
           (command >= F_GETLK64 && command <= F_SETLKW64) ||
           (command >= F_OFD_GETLK && command <= F_OFD_SETLKW);
}

int32_t lock_command(struct process *self, struct file *file, uint32_t command, uint32_t address)
{
    bool is_64 = command >= F_GETLK64, is_of_file = command >= F_OFD_GETLK;
    uint32_t base = is_of_file ? F_OFD_GETLK : is_64 ? F_GETLK64 : F_GETLK;
    bool asks = command == base;
    struct lock_wish wish = {.owner = is_of_file ? (const void *)file : self,
                             .pid = is_of_file ? LOCK_OF_NOBODY : self->pid,
                             .waits = command == base + 2};
    struct flock64 lock = {0};
    int32_t result = read_flock(address, is_64, &lock);
    if (result != 0)
        return result;
    if (file->inode == NULL || (is_of_file && lock.pid != 0))
        return -EINVAL;
    if ((uint32_t)(uint16_t)lock.type > (asks ? F_WRLCK : F_UNLCK))
        return -EINVAL;
    result = range_of(file, &lock, &wish);
    if (result != 0)
        return result;
    wish.kind = lock.type == F_WRLCK   ? LOCK_KIND_EXCLUSIVE
                : lock.type == F_RDLCK ? LOCK_KIND_SHARED
                                       : LOCK_KIND_NONE;
    if (asks)
        return tell_conflict(file->inode, &wish, &lock, address, is_64);
    if ((lock.type == F_RDLCK && !(file->access & FILE_READ)) ||
        (lock.type == F_WRLCK && !(file->access & FILE_WRITE)))
        return -EBADF;
    return lock_set(self, file->inode, &wish);
}
