/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Uses: layers 0-5, process. Used by: file/, program/ (execve, init, mmap), prompt/.
 *
 * Open files. A process has a table of descriptors (struct files), shared by fork until one side
 * changes it; each descriptor names an open file (struct file), counted, with an offset; what it
 * does depends on its kind: a module of the boot loader, a pipe's end, the terminal, /dev/null,
 * /dev/zero, a directory of these.
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <mm/object.h>
#include <process/process.h>

struct file;

/* The open file behind DESCRIPTOR, or NULL; not counted. */
struct file *file_of(const struct process *process, uint32_t descriptor);

/*
 * A file by PATH, seen by the current process, to be mapped or executed: a module.
 *   *object   its pages, one reference for the caller; *BYTES its length
 *   returns 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG, -EACCES (not a regular file)
 */
int32_t file_find(const char *path, struct object **object, uint32_t *bytes);

/* The name of the module whose pages OBJECT holds ("/NAME"), for `maps`; it lives for good. */
const char *file_object_name(const struct object *object);

/* Its inode number, as fstat() says it; 0: OBJECT is no module's. */
uint32_t file_object_inode(const struct object *object);

/*
 * What mmap needs of DESCRIPTOR.
 *   *object       one reference for the caller; NULL: /dev/zero, anonymous memory
 *   *is_writable  it is open for writing
 *   returns 0, -EBADF, -ENODEV (can't be mapped), -EACCES (not open for what MAP says)
 */
enum file_map { FILE_MAP_PRIVATE, FILE_MAP_SHARED_READ, FILE_MAP_SHARED_WRITE };
int32_t file_for_mapping(const struct process *self, uint32_t descriptor, enum file_map map,
                         struct object **object, bool *is_writable);

/* The terminal got a key while processes run. Returns false: it has no room, offer it again. */
bool terminal_take_key(int key);

/* Process group GROUP, of the session of the same number, gets the signals of the terminal's
 * keys. */
void terminal_set_group(uint32_t group);

#endif
