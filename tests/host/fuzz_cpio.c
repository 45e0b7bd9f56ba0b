/* SPDX-License-Identifier: MIT */
/*
 * Host test, for libFuzzer: archives of cpio. Whatever an archive says, what comes of it is a tree with
 * names as they may be, whose links are counted right; nothing outside the archive is read, nothing
 * twice after it was passed, and every frame and every piece of the heap comes back.
 *
 * The first byte of an input chooses: the rest is an archive as it is; or short records, of which
 * headers with sense are made, as random bytes would hardly ever be any.
 */
#include <file/inode.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/commit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../file/cpio.h"
#include "../../file/initramfs.h"
#include "../../file/tmpfs.h"
#include "machine.h"

enum { RAM_BYTES = 8 << 20, ARCHIVE_BYTES_MAX = 1 << 20, DEPTH_MAX = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define must(condition) must_be(condition, #condition, __LINE__)
static void must_be(bool condition, const char *text, int line)
{
    if (condition)
        return;
    fprintf(stderr, "line %d: not true: %s\n", line, text);
    abort();
}

/* ---- what the files ask of other layers ---- */

struct commit_account commit_account = {.mode = OVERCOMMIT_GUESS, .single_max = UINT32_MAX};
struct mount *mount_root;

struct time clock_real_coarse(void)
{
    return (struct time){1000000000, 0};
}

bool file_polls(enum kerr error)
{
    (void)error;
    return false;
}

/* ---- the archive ---- */

static uint8_t *bytes_of_archive;
static uint32_t archive_length, passed;

static void add(const void *bytes, uint32_t count)
{
    uint32_t room = ARCHIVE_BYTES_MAX - archive_length;
    count = count < room ? count : room;
    memcpy(bytes_of_archive + archive_length, bytes, count);
    archive_length += count;
}

static void pad(void)
{
    add("\0\0", -archive_length % CPIO_ALIGNMENT);
}

struct input {
    const uint8_t *at;
    size_t left;
};

static uint32_t take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* A name out of few letters, so that names meet. */
static uint32_t make_name(struct input *input, char *name)
{
    static const char *const parts[] = {"a", "b", "c", "/", "/", ".", "..", "./", "d/e", "\n", ""};
    uint32_t length = 0;
    for (uint32_t count = take(input) % 8; count > 0; count--) {
        const char *part = parts[take(input) % (sizeof(parts) / sizeof(*parts))];
        uint32_t repeat = count == 7 ? take(input) * 20 : 1; /* long ones, too */
        for (; repeat > 0 && length < 6000; repeat--)
            length += (uint32_t)sprintf(name + length, "%s", part);
    }
    name[length] = '\0';
    return length + 1;
}

static void make_entry(struct input *input)
{
    static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,  S_IFLNK,
                                     S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK, 0};
    static char name[8192];
    char header[CPIO_HEADER_BYTES + 1];
    uint32_t what = take(input), seed = take(input);
    uint32_t mode = types[what % 10] | (seed * 257 & MODE_BITS);
    uint32_t name_bytes = make_name(input, name);
    uint32_t data_bytes = what & 0x20 ? 0 : take(input) * (what & 0x40 ? 20 : 1);
    uint32_t said_bytes = what == 0xFF ? data_bytes * 0x01010101u : data_bytes;
    if (seed == 0xFF && what & 0x80)
        name_bytes = (uint32_t)sprintf(name, "TRAILER!!!") + 1;
    sprintf(header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", seed % 4, mode,
            seed, what, what % 3 + 1, seed * 65537, said_bytes, 8, seed % 3 == 0, what, seed,
            name_bytes, 0);
    add(header, CPIO_HEADER_BYTES);
    add(name, name_bytes);
    pad();
    memset(name, (int)seed, data_bytes);
    add(name, data_bytes);
    pad();
}

static void add_trailer(void)
{
    char header[CPIO_HEADER_BYTES + 1];
    sprintf(header, "070701%088X%08X%08X", 0, 11, 0);
    add(header, CPIO_HEADER_BYTES);
    add("TRAILER!!!", 11);
    pad();
}

static void archive_read(struct archive *archive, uint32_t offset, void *to, uint32_t bytes)
{
    must(offset >= passed && offset <= archive->bytes && bytes <= archive->bytes - offset);
    memcpy(to, bytes_of_archive + offset, bytes);
}

static void archive_pass(struct archive *archive, uint32_t offset)
{
    must(offset >= passed && offset <= archive->bytes);
    passed = offset;
}

/* ---- the tree that came of it ---- */

static struct inode *seen[1 << 16];
static uint32_t seen_count;

/* How many names DIRECTORY and what is below it have. */
static void look_at(struct inode *directory, uint32_t depth)
{
    struct directory_entry entry = {.cursor = 2};
    uint32_t directories = 0;
    must(depth < DEPTH_MAX);
    while (directory->operations->read_directory(directory, entry.cursor, &entry) == KERR_OK) {
        struct inode *inode;
        must(entry.name.length > 0 && entry.name.length <= NAME_BYTES_MAX);
        must(memchr(entry.name.text, '/', entry.name.length) == NULL);
        must(entry.name.text[0] != '.' ||
             (entry.name.length > 1 && (entry.name.text[1] != '.' || entry.name.length > 2)));
        must(directory->operations->lookup(directory, entry.name, &inode) == KERR_OK);
        inode_put(inode);
        must(inode->number == entry.number && inode->references == 0 && inode->status.links > 0);
        must(seen_count < sizeof(seen) / sizeof(*seen));
        seen[seen_count++] = inode;
        if (inode_is_directory(inode)) {
            directories++;
            look_at(inode, depth + 1);
        }
    }
    must(directory->status.links == directories + 2);
}

static void check_links(void)
{
    for (uint32_t i = 0; i < seen_count; i++) {
        uint32_t names = 0;
        for (uint32_t n = 0; n < seen_count && !inode_is_directory(seen[i]); n++)
            names += seen[n] == seen[i];
        must(inode_is_directory(seen[i]) || names == seen[i]->status.links);
    }
}

static void unpack(void)
{
    struct archive archive = {archive_length, archive_read, archive_pass};
    struct initramfs_counts counts;
    static const struct file_system file_system = {.flags = FILE_SYSTEM_KEEPS_INODES};
    struct mount mount = {.file_system = &file_system};
    passed = 0;
    must(tmpfs_mount(&mount, "size=1M,nr_inodes=300") == KERR_OK);
    inode_set_parent(mount.root, mount.root);
    enum kerr error = initramfs_unpack(&archive, mount.root, &counts);
    must(error == KERR_OK || error == KERR_BAD_VALUE || error == KERR_NO_SPACE ||
         error == KERR_NO_MEMORY);
    seen_count = 0;
    must(mount.root->references == 1);
    look_at(mount.root, 0);
    check_links();
    must(counts.files >= seen_count);
    must(tmpfs_unmount(&mount) == KERR_OK);
    must(inode_next(NULL) == NULL);
}

/* It takes the most time, so not each input is followed by it. */
static void check_frames(void)
{
    enum { INPUTS = 64 };
    static uint32_t free_before, inputs;
    if (inputs++ % INPUTS != 0)
        return;
    heap_trim(&kernel_heap, 0);
    vma_trim();
    uint32_t free = frame_available(&frame_pool);
    must(free_before == 0 || free == free_before);
    free_before = free;
}

static void boot(void)
{
    struct machine_options options = {RAM_BYTES, .pse = true, .pge = true};
    struct boot_info information;
    machine_boot_info(RAM_BYTES, &information);
    must(machine_boot(&options, &information) == KERR_OK);
    machine_set_output(OUTPUT_HIDDEN);
    bytes_of_archive = malloc(ARCHIVE_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    if (bytes_of_archive == NULL)
        boot();
    archive_length = 0;
    uint32_t how = take(&input);
    if (how % 4 == 0)
        add(input.at, (uint32_t)input.left);
    else
        while (input.left > 0)
            make_entry(&input);
    if (how % 4 >= 2) /* else it has no end */
        add_trailer();
    unpack();
    check_frames();
    return 0;
}
