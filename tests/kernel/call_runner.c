/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Runs a system call whose pages may be absent (call_runner.h).
 */
#include "call_runner.h"

#include <arch/i386/gdt.h>
#include <file/file.h>
#include <file/path.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/part.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/signal_table.h>
#include <process/system_call.h>

enum { SOME_EIP = 0x08048002, STACK = WORD_PLACE(PLACES - 1) + 300, HEAP = 0x10000000 };

struct test_pager call_pager;

const char *call_name(uint32_t number)
{
    for (const struct system_call *call = system_calls_first; call < system_calls_end; call++)
        if (call->number == number)
            return call->name;
    return NULL;
}

/* ---- the memory ---- */

static uint8_t *const contents = test_scratch;
_Static_assert(ARENA_PAGES *PAGE_BYTES <= TEST_SCRATCH_BYTES, "what is in the arena at first");

void arena_put(uint32_t address, const void *from, uint32_t bytes)
{
    memcpy(contents + (address - ARENA), from, bytes);
}

void arena_text(uint32_t address, const char *text)
{
    arena_put(address, text, strlen(text) + 1);
}

static void fill(uint32_t number, uint8_t *bytes)
{
    if (number < ARENA_PAGES) {
        memcpy(bytes, contents + number * PAGE_BYTES, PAGE_BYTES);
        return;
    }
    memset(bytes, 'a', PAGE_BYTES);
    if ((number - ARENA_PAGES) % STRING_PAGES == STRING_PAGES - 1)
        bytes[PAGE_BYTES - 1] = '\0';
}

static enum arena_kind arena_kind;

static bool must_check map_arena(struct process *self)
{
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE | RIGHTS_USER,
                            .flags = arena_kind == ARENA_SHARED ? VMA_SHARED : 0,
                            .name = "paged"};
    if (test_pager_make(&call_pager, 0, &wish.object) != KERR_OK)
        return false;
    call_pager.fill = fill;
    enum kerr error = vma_map_at(&self->memory->space, VADDR(ARENA), MAPPED_PAGES, &wish);
    object_put(wish.object); /* the region's reference is left */
    return error == KERR_OK;
}

void arena_begin_anew(struct process *self)
{
    EXPECT(vma_release(&self->memory->space, VADDR(ARENA), MAPPED_PAGES) == KERR_OK);
    EXPECT(map_arena(self));
}

/* ---- the process ---- */

static bool must_check add_file(struct process *self, struct file *file)
{
    uint32_t descriptor;
    return descriptor_add(self, file, 0, DESCRIPTOR_STAYS, &descriptor) == 0;
}

static bool must_check fill_pipe(struct process *self, struct file *writer)
{
    uint8_t byte[500];
    for (uint32_t i = 0; i < PIPE_HOLDS; i += sizeof(byte)) {
        memset(byte, (int)(i / sizeof(byte)), sizeof(byte));
        struct transfer transfer = transfer_of_kernel(byte, sizeof(byte));
        if (writer->operations->write(self, writer, &transfer) != (int32_t)sizeof(byte))
            return false;
    }
    return true;
}

/* What PATH leads to. */
static bool must_check open_path(struct process *self, const char *path, uint32_t flags)
{
    struct inode *inode;
    struct file *file;
    if (path_find(mount_root->root, path, LINKS_FOLLOW, &inode) != 0)
        return false;
    bool made = file_create(file_operations_of(inode), inode, flags, &file) == KERR_OK;
    inode_put(inode);
    return made && add_file(self, file);
}

/* ---- files ---- */

static struct mount *mount;

static bool must_check make(const char *name, const struct inode_wish *wish)
{
    return inode_make(mount->root, name, wish, NULL) == KERR_OK;
}

static bool must_check fill_file(void)
{
    struct inode *inode;
    uint8_t bytes[100];
    if (path_find(mount->root, "a", LINKS_KEEP, &inode) != 0)
        return false;
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < FILE_HOLDS && error == KERR_OK; i += sizeof(bytes)) {
        memset(bytes, (int)(i / sizeof(bytes)), sizeof(bytes));
        error = regular_write_kernel(inode, i, bytes, sizeof(bytes));
    }
    inode_put(inode);
    return error == KERR_OK;
}

static bool must_check mount_files(void)
{
    static const struct inode_wish file = {.mode = S_IFREG | 0644},
                                   link = {.mode = S_IFLNK | 0777,
                                           .target = "a",
                                           .target_bytes = 1},
                                   directory = {.mode = S_IFDIR | 0755};
    struct inode *tmp;
    if (path_find(mount_root->root, "/tmp", LINKS_FOLLOW, &tmp) != 0)
        return false;
    enum kerr error = mount_add("tmpfs", "test", "", 0, tmp, &mount);
    inode_put(tmp);
    return error == KERR_OK && make("a", &file) && make("l", &link) && make("d", &directory) &&
           fill_file();
}

/* What a program has mounted upon it goes first. */
static void unmount_files(void)
{
    struct mount *last = NULL;
    for (struct mount *next = mount_next(NULL); next != NULL; next = mount_next(next))
        last = next;
    if (last != mount && last->covered != NULL)
        EXPECT(mount_remove(last) == KERR_OK);
    EXPECT(mount_remove(mount) == KERR_OK);
}

static bool must_check open_files(struct process *self)
{
    struct file *reader, *writer;
    return mount_files() && open_path(self, "/dev/zero", O_RDWR) &&
           pipe_create(0, &reader, &writer) == KERR_OK && add_file(self, reader) &&
           add_file(self, writer) && fill_pipe(self, writer) && open_path(self, "/", O_RDONLY) &&
           open_path(self, "/tmp/a", O_RDWR);
}

static struct process *begin(const struct call_case *call)
{
    struct process *self;
    if (process_create(NULL, &self) != KERR_OK)
        return NULL;
    if (process_parts_begin(self) != 0 || memory_create(&self->memory) != KERR_OK) {
        process_discard(self);
        return NULL;
    }
    self->frame = (struct trap_frame){.vector = VECTOR_SYSTEM_CALL,
                                      .eax = call->number,
                                      .eip = SOME_EIP,
                                      .cs = USER_CODE,
                                      .user_ss = USER_DATA,
                                      .user_esp = STACK};
    self->memory->heap_start = self->memory->heap_end = HEAP;
    process_start(self);
    process_dequeue(self);
    process_current = self;
    space_switch(&self->memory->space);
    ARG1 = call->arguments[0];
    ARG2 = call->arguments[1];
    ARG3 = call->arguments[2];
    ARG4 = call->arguments[3];
    ARG5 = call->arguments[4];
    ARG6 = call->arguments[5];
    EXPECT(map_arena(self));
    EXPECT(open_files(self));
    return self;
}

/* SELF and its children, if any, end and are gone. */
static void end(struct process *self)
{
    for (struct list *link = self->children.next; link != &self->children; link = link->next) {
        struct process *child = container_of(link, struct process, sibling);
        if (child->state != PROCESS_ZOMBIE)
            process_exit(child, 0);
    }
    process_exit(self, 0);
    process_finish_exits();
    process_reap_orphans();
    EXPECT(process_current == NULL);
}

/* ---- running ---- */

static uint32_t withheld_frames;

void call_leave_frames(uint32_t count)
{
    uint32_t available = frame_available(&frame_pool);
    withheld_frames = count < available ? available - count : 0;
    EXPECT(frame_set_aside(&frame_pool, withheld_frames) == KERR_OK);
}

/* Returns true if there were any. */
static bool give_frames(void)
{
    bool any = withheld_frames != 0;
    frame_end_set_aside(&frame_pool, withheld_frames);
    withheld_frames = 0;
    return any;
}

static struct test_page *page_slept_on(const struct process *self)
{
    for (unsigned i = 0; i < TEST_PAGES; i++)
        if (self->channel == &call_pager.pages[i].channel)
            return &call_pager.pages[i];
    return NULL;
}

/* SELF sleeps. False: for good. */
static bool end_sleep(const struct call_case *call, struct process *self)
{
    struct test_page *page = page_slept_on(self);
    if (page == NULL && call->slept != NULL) {
        call->slept(self);
        return self->state != PROCESS_SLEEPING;
    }
    EXPECT(page != NULL);
    if (page == NULL || page->polls_left == ARRIVES_NEVER)
        return false;
    while (!page->channel.is_ready(&page->channel)) {
    }
    channel_wake(&page->channel);
    return true;
}

/* A signal comes before the call goes on, unless the call was woken by what it waits for. */
static bool signal_comes_first(const struct process *self)
{
    return signal_is_pending(self) && !(call_is_repeated(self) && self->is_woken);
}

/* What leave() of process/schedule.c does for one process. False: SELF sleeps for good. */
static bool run(const struct call_case *call, struct process *self, struct outcome *outcome)
{
    uint32_t *repetitions = &outcome->repetitions;
    enum { REPETITIONS_MAX = 1000 };
    self->frame.eax = (uint32_t)trap_system_calls[call->number](&self->frame);
    call_look_after(self);
    for (*repetitions = 0; *repetitions < REPETITIONS_MAX; ++*repetitions) {
        if (self->state == PROCESS_ENDING)
            return true;
        if (self->state == PROCESS_SLEEPING) {
            if (!end_sleep(call, self))
                return false;
        } else if (signal_comes_first(self)) {
            give_frames(); /* for want of the handler's somebody would be ended at once */
            signal_deliver(self);
        } else if (call_is_repeated(self)) {
            if (self->is_in_call == IN_CALL_THAT_LACKS)
                outcome->lacked |= give_frames();
            call_repeat(self);
        } else {
            return true;
        }
    }
    test_fail(__FILE__, __LINE__, "the call comes to an end");
    return false;
}

/* ---- what a program can see ---- */

static uint32_t sum_of(uint32_t sum, const void *from, uint32_t bytes)
{
    const uint8_t *byte = from;
    for (; bytes > 0; bytes--)
        sum = (sum ^ *byte++) * 16777619u;
    return sum;
}
#define ADD(sum, object) ((sum) = sum_of((sum), &(object), sizeof(object)))

static uint32_t sum_of_page(uint32_t address)
{
    uint32_t words[64], sum = 0;
    for (uint32_t done = 0; done < PAGE_BYTES; done += sizeof(words)) {
        if (user_read(words, address + done, sizeof(words)) != KERR_OK)
            return 0;
        for (unsigned i = 0; i < ARRAY_LENGTH(words); i++)
            sum = (sum ^ words[i]) * 16777619u;
    }
    return sum;
}

/* What is left in the pipe, which is read away. */
static uint32_t sum_of_pipe(struct process *self, struct file *file, uint32_t sum)
{
    uint8_t bytes[256];
    for (;;) {
        struct transfer transfer = transfer_of_kernel(bytes, sizeof(bytes));
        int32_t done = file->operations->read(self, file, &transfer);
        if (done <= 0)
            return sum;
        sum = sum_of(sum, bytes, (uint32_t)done);
    }
}

/* What INODE is, and holds; not when. */
static uint32_t sum_of_inode(struct inode *inode, uint32_t sum)
{
    uint8_t bytes[128];
    ADD(sum, inode->status.mode);
    ADD(sum, inode->status.links);
    ADD(sum, inode->status.user);
    ADD(sum, inode->status.bytes);
    for (uint64_t i = 0; inode_type(inode) == S_IFREG && i < inode->status.bytes;
         i += sizeof(bytes)) {
        EXPECT(regular_read_kernel(inode, i, bytes, sizeof(bytes)) == KERR_OK);
        ADD(sum, bytes);
    }
    return sum;
}

static uint32_t sum_of_mount(uint32_t sum)
{
    struct directory_entry entry = {.cursor = 2};
    while (mount->root->operations->read_directory(mount->root, entry.cursor, &entry) == KERR_OK) {
        struct inode *inode;
        sum = sum_of(sum, entry.name.text, entry.name.length);
        EXPECT(mount->root->operations->lookup(mount->root, entry.name, &inode) == KERR_OK);
        sum = sum_of_inode(inode, sum);
        inode_put(inode);
    }
    return sum;
}

static uint32_t sum_of_files(struct process *self, uint32_t sum, uint32_t *count)
{
    const struct files *files = files_of(self);
    *count = 0;
    sum = sum_of(sum, (const void *)&files->directory, sizeof(void *));
    ADD(sum, files->mask);
    sum = sum_of_mount(sum);
    for (uint32_t i = 0; i < files->capacity; i++) {
        struct file *file = files->slots[i].file;
        if (file == NULL)
            continue;
        ++*count;
        ADD(sum, i);
        ADD(sum, files->slots[i].at_exec);
        ADD(sum, file->flags);
        ADD(sum, file->offset);
        if (file->pipe != NULL && (file->access & FILE_READ))
            sum = sum_of_pipe(self, file, sum);
    }
    return sum;
}

static uint32_t sum_of_process(struct process *self, uint32_t *descriptors)
{
    const struct memory *memory = self->memory;
    uint32_t sum = sum_of_files(self, 1, descriptors);
    struct trap_frame frame = self->frame;
    frame.eax = 0;
    if (frame.ebx == self->pid) /* another one in each run */
        frame.ebx = frame.ecx = 0;
    ADD(sum, frame);
    ADD(sum, self->alternate_stack);
    ADD(sum, self->alternate_stack_bytes);
    ADD(sum, self->alternate_stack_flags);
    ADD(sum, self->signals_pending);
    ADD(sum, self->signals_blocked);
    ADD(sum, self->tls);
    ADD(sum, self->clear_tid);
    ADD(sum, self->name);
    ADD(sum, self->limits->pair);
    ADD(sum, memory->space.reserved_pages);
    ADD(sum, memory->space.locked_pages);
    ADD(sum, memory->heap_end);
    if (self->signals != NULL)
        ADD(sum, self->signals->actions);
    return sum;
}

static void tell(struct process *self, struct outcome *outcome)
{
    outcome->result = (int32_t)self->frame.eax;
    EXPECT_EQUAL(self->progress.kind, PROGRESS_NONE);
    EXPECT(self->goes_on_in == NULL && !self->restore_blocked);
    outcome->state = sum_of_process(self, &outcome->descriptors);
    for (unsigned i = 0; i < TEST_PAGES; i++) /* they all are there now */
        call_pager.pages[i] = (struct test_page){.channel = call_pager.pages[i].channel};
    for (uint32_t i = 0; i < ARENA_PAGES; i++)
        outcome->memory[i] = sum_of_page(ARENA + i * PAGE_BYTES);
}

void call_run(const struct call_case *call, enum arena_kind kind, void (*prepare)(void),
              struct outcome *outcome)
{
    file_forget_spare();
    uint32_t blocks = kernel_heap.used_blocks, processes = process_count();
    *outcome = (struct outcome){0};
    memset(contents, 0, ARENA_PAGES * PAGE_BYTES);
    arena_kind = kind;
    struct process *self = begin(call);
    EXPECT(self != NULL);
    if (self == NULL)
        return;
    if (call->set_up != NULL)
        call->set_up(self);
    if (prepare != NULL)
        prepare();
    struct memory *shared = self->memory->references > 1 ? self->memory : NULL;
    outcome->is_stuck = !run(call, self, outcome);
    give_frames();
    for (unsigned i = 0; i < TEST_PAGES; i++)
        outcome->touched[i] = call_pager.pages[i].times_asked != 0;
    if (self->state == PROCESS_ENDING)
        outcome->result = (int32_t)self->exit_status;
    else if (!outcome->is_stuck)
        tell(self, outcome);
    end(self);
    unmount_files();
    space_switch(&boot_space);
    if (shared != NULL)
        memory_put(shared); /* set_up played another process that has it */
    EXPECT_EQUAL(call_pager.ended, 1);
    file_forget_spare();
    EXPECT_EQUAL(kernel_heap.used_blocks, blocks);
    EXPECT_EQUAL(process_count(), processes);
}
