/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Arguments and environment on their way from one program to the next.
 *
 * They are staged in one block of the kernel's heap: the memory that they come from is gone before
 * the new program runs. The block grows as strings are added; the strings know no addresses.
 */
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/system_call.h>
#include <program/exec.h>

enum {
    STRING_BYTES_MAX = 128 * 1024,
    TEXTS_BYTES_LEAST = 128 * 1024,
    TEXTS_BYTES_MOST = 6 * 1024 * 1024,
    FIRST_ROOM_BYTES = 1000, /* what most programs need */
};

void exec_texts_free(struct exec_texts *texts)
{
    kfree(texts->strings);
    *texts = (struct exec_texts){0};
}

/* Room for BYTES more. */
static enum kerr make_room(struct exec_texts *texts, uint32_t bytes)
{
    uint32_t room = texts->room_bytes == 0 ? FIRST_ROOM_BYTES : texts->room_bytes;
    void *block;

    if (texts->room_bytes - texts->bytes >= bytes)
        return KERR_OK;
    while (room - texts->bytes < bytes)
        room *= 2;
    enum kerr error = krealloc(texts->strings, room, &block);
    if (error != KERR_OK)
        return error;
    texts->strings = block;
    texts->room_bytes = room;
    return KERR_OK;
}

/* ---- from the kernel ---- */

static enum kerr add(struct exec_texts *texts, const char *text, uint32_t *count)
{
    uint32_t bytes = strlen(text) + 1;
    enum kerr error = make_room(texts, bytes);

    if (error != KERR_OK)
        return error;
    memcpy(texts->strings + texts->bytes, text, bytes);
    texts->bytes += bytes;
    (*count)++;
    return KERR_OK;
}

enum kerr exec_texts_make(const char *const *arguments, uint32_t count, struct exec_texts *texts)
{
    static const char *const environment[] = {"HOME=/", "PATH=/", "TERM=linux"};
    enum kerr error = KERR_OK;

    *texts = (struct exec_texts){0};
    for (uint32_t i = 0; i < count && error == KERR_OK; i++)
        error = add(texts, arguments[i], &texts->argument_count);
    for (uint32_t i = 0; i < ARRAY_LENGTH(environment) && error == KERR_OK; i++)
        error = add(texts, environment[i], &texts->environment_count);
    if (error != KERR_OK)
        exec_texts_free(texts);
    return error;
}

enum kerr exec_texts_for_script(const struct exec_texts *old, const char *interpreter,
                                const char *option, const char *script, struct exec_texts *texts)
{
    uint32_t first_bytes = strlen(old->strings) + 1; /* there is at least one argument */
    uint32_t rest_bytes = old->bytes - first_bytes;

    *texts = (struct exec_texts){0};
    enum kerr error = add(texts, interpreter, &texts->argument_count);
    if (error == KERR_OK && option != NULL)
        error = add(texts, option, &texts->argument_count);
    if (error == KERR_OK)
        error = add(texts, script, &texts->argument_count);
    if (error == KERR_OK)
        error = make_room(texts, rest_bytes);
    if (error != KERR_OK) {
        exec_texts_free(texts);
        return error;
    }
    memcpy(texts->strings + texts->bytes, old->strings + first_bytes, rest_bytes);
    texts->bytes += rest_bytes;
    texts->argument_count += old->argument_count - 1;
    texts->environment_count = old->environment_count;
    return KERR_OK;
}

/* ---- from a program ---- */

static int32_t no_room(enum kerr error)
{
    return error == KERR_NO_MEMORY ? process_out_of_memory() : -ENOMEM;
}

/* What strings and pointers to them may take. */
static uint32_t limit_of(const struct process *self)
{
    uint32_t quarter = self->limits->pair[LIMIT_STACK].soft / 4;

    if (quarter > TEXTS_BYTES_MOST)
        return TEXTS_BYTES_MOST;
    return quarter < TEXTS_BYTES_LEAST ? TEXTS_BYTES_LEAST : quarter;
}

/* Add the string at ADDRESS, its end included, so that no more than MOST bytes are taken. */
static int32_t read_string(struct exec_texts *texts, uint32_t address, uint32_t most)
{
    if (most > STRING_BYTES_MAX)
        most = STRING_BYTES_MAX;
    for (;;) {
        uint32_t room = texts->room_bytes - texts->bytes, length;
        room = room < most ? room : most;
        enum kerr error =
            room == 0 ? KERR_NO_ROOM
                      : user_read_string(texts->strings + texts->bytes, address, room, &length);
        if (error == KERR_OK) {
            texts->bytes += length + 1;
            return 0;
        }
        if (error != KERR_NO_ROOM)
            return user_access_failed(error);
        if (room == most)
            return -E2BIG;
        error = make_room(texts, room + 1);
        if (error != KERR_OK)
            return no_room(error);
    }
}

/* Add the strings that the vector at ADDRESS names, up to its NULL. */
static int32_t read_vector(struct exec_texts *texts, uint32_t address, uint32_t limit,
                           uint32_t *count)
{
    if (address == 0)
        return 0;
    for (;; address += sizeof(uint32_t)) {
        uint32_t string;
        enum kerr error = user_read(&string, address, sizeof(string));
        if (error != KERR_OK)
            return user_access_failed(error);
        if (string == 0)
            return 0;
        uint32_t pointers = texts->argument_count + texts->environment_count + 1;
        uint32_t used = texts->bytes + pointers * (uint32_t)sizeof(uint32_t);
        if (used >= limit)
            return -E2BIG;
        int32_t result = read_string(texts, string, limit - used);
        if (result != 0)
            return result;
        (*count)++;
    }
}

int32_t exec_texts_read(struct process *self, uint32_t arguments, uint32_t environment,
                        struct exec_texts *texts)
{
    uint32_t limit = limit_of(self);

    *texts = (struct exec_texts){0};
    int32_t result = read_vector(texts, arguments, limit, &texts->argument_count);
    if (result == 0 && texts->argument_count == 0) {
        enum kerr error = add(texts, "", &texts->argument_count);
        result = error == KERR_OK ? 0 : no_room(error);
    }
    if (result == 0)
        result = read_vector(texts, environment, limit, &texts->environment_count);
    return result;
}
