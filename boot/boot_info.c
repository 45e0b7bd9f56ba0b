/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The boot loader's information, checked and copied (include/kernel/boot_info.h).
 *
 * The block is not trusted: every number that leads to another byte is compared with what is left
 * first, by subtraction, so that nothing can wrap. It compiles for the host, too, where the tests
 * feed it broken blocks; so it takes fields out with memcpy, at any alignment.
 */
#include <kernel/boot_info.h>

#include <kernel/printk.h>
#include <kernel/string.h>

/* source: Multiboot2 Specification 2.0, "Boot information format" */
enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER_NAME = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
};

enum {
    BLOCK_HEADER_BYTES = 8, /* total size, reserved */
    TAG_HEADER_BYTES = 8,   /* type, size */
    TAG_ALIGNMENT = 8,
    MODULE_NAME_OFFSET = 16, /* behind start and end */
    MEMORY_ENTRIES_OFFSET = 16,
    MEMORY_ENTRY_BYTES_MIN = 24,
    FRAMEBUFFER_COLOURS_OFFSET = 32,
    FRAMEBUFFER_COLOURS_BYTES = 6,
    FRAMEBUFFER_RGB = 1,
};

/* A tag that lies in the block with all its BYTES bytes. */
struct tag {
    const uint8_t *start;
    uint32_t bytes;
};

static uint32_t read_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

static uint64_t read_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

/* Behind the last word that is whole of the first BYTES bytes of TEXT. */
static uint32_t whole_words(const uint8_t *text, uint32_t bytes)
{
    while (bytes > 0 && text[bytes] != ' ')
        bytes--;
    return bytes;
}

/* The text that fills TAG from OFFSET on, up to its terminator, which must be there. */
static kerr_t read_text(struct tag tag, uint32_t offset, char *to, uint32_t to_bytes)
{
    if (tag.bytes <= offset)
        return KERR_BAD_VALUE;
    const uint8_t *text = tag.start + offset;
    uint32_t length = 0;
    while (length < tag.bytes - offset && text[length] != 0)
        length++;
    if (length == tag.bytes - offset)
        return KERR_BAD_VALUE;
    if (length >= to_bytes) {
        uint32_t kept = whole_words(text, to_bytes - 1);
        if (kept > 0)
            printk("boot information: a text of %u bytes is cut to %u\n", (unsigned)length,
                   (unsigned)kept);
        else
            printk("boot information: of a text of %u bytes none is kept: its words are too long\n",
                   (unsigned)length);
        length = kept;
    }
    memcpy(to, text, length);
    to[length] = '\0';
    return KERR_OK;
}

static kerr_t read_module(struct tag tag, struct boot_info *info)
{
    if (tag.bytes < MODULE_NAME_OFFSET)
        return KERR_BAD_VALUE;
    uint32_t start = read_u32(tag.start + TAG_HEADER_BYTES);
    uint32_t end = read_u32(tag.start + TAG_HEADER_BYTES + sizeof(start));
    if (end < start)
        return KERR_BAD_VALUE;
    if (info->module_count == BOOT_MODULES_MAX) {
        printk("boot information: more than %u modules, the rest is not seen\n", BOOT_MODULES_MAX);
        return KERR_OK;
    }
    struct boot_module *module = &info->modules[info->module_count++];
    module->start = PADDR(start);
    module->bytes = end - start;
    return read_text(tag, MODULE_NAME_OFFSET, module->name, sizeof(module->name));
}

/*
 * Add RANGE to the map. Where there is no room the smallest available range gives way: RAM may be
 * lost, but never what says that something is no RAM. Returns false if a range was left out.
 */
static bool add_range(struct boot_info *info, struct memory_range range)
{
    struct memory_range *smallest = NULL;

    if (info->memory_count < BOOT_MEMORY_RANGES_MAX) {
        info->memory[info->memory_count++] = range;
        return true;
    }
    for (uint32_t i = 0; i < info->memory_count; i++) {
        struct memory_range *other = &info->memory[i];
        if (other->type == MEMORY_AVAILABLE && (smallest == NULL || other->bytes < smallest->bytes))
            smallest = other;
    }
    if (smallest != NULL && (range.type != MEMORY_AVAILABLE || range.bytes > smallest->bytes))
        *smallest = range;
    return false;
}

static kerr_t read_memory_map(struct tag tag, struct boot_info *info)
{
    if (tag.bytes < MEMORY_ENTRIES_OFFSET)
        return KERR_BAD_VALUE;
    uint32_t entry_bytes = read_u32(tag.start + TAG_HEADER_BYTES);
    uint32_t list_bytes = tag.bytes - MEMORY_ENTRIES_OFFSET;
    if (entry_bytes < MEMORY_ENTRY_BYTES_MIN || entry_bytes % TAG_ALIGNMENT != 0 ||
        list_bytes % entry_bytes != 0)
        return KERR_BAD_VALUE;
    bool is_whole = true;
    for (uint32_t offset = 0; offset < list_bytes; offset += entry_bytes) {
        const uint8_t *entry = tag.start + MEMORY_ENTRIES_OFFSET + offset;
        is_whole &= add_range(info, (struct memory_range){
                                        .base = read_u64(entry),
                                        .bytes = read_u64(entry + 8),
                                        .type = read_u32(entry + 16),
                                    });
    }
    if (!is_whole)
        printk(
            "boot information: more than %u memory ranges: the smallest available are left out\n",
            BOOT_MEMORY_RANGES_MAX);
    return KERR_OK;
}

static kerr_t read_framebuffer(struct tag tag, struct boot_info *info)
{
    if (tag.bytes < FRAMEBUFFER_COLOURS_OFFSET - 1) /* the last byte is reserved, and not */
        return KERR_BAD_VALUE;                      /* every loader counts it */
    struct boot_framebuffer framebuffer = {
        .address = read_u64(tag.start + 8),
        .pitch_bytes = read_u32(tag.start + 16),
        .width = read_u32(tag.start + 20),
        .height = read_u32(tag.start + 24),
        .bits_per_pixel = tag.start[28],
        .type = tag.start[29],
    };
    if (framebuffer.type == FRAMEBUFFER_RGB) {
        if (tag.bytes < FRAMEBUFFER_COLOURS_OFFSET + FRAMEBUFFER_COLOURS_BYTES)
            return KERR_BAD_VALUE;
        const uint8_t *colours = tag.start + FRAMEBUFFER_COLOURS_OFFSET;
        framebuffer.red_position = colours[0];
        framebuffer.red_bits = colours[1];
        framebuffer.green_position = colours[2];
        framebuffer.green_bits = colours[3];
        framebuffer.blue_position = colours[4];
        framebuffer.blue_bits = colours[5];
    }
    info->framebuffer = framebuffer;
    return KERR_OK;
}

static kerr_t read_tag(uint32_t type, struct tag tag, struct boot_info *info)
{
    switch (type) {
    case TAG_COMMAND_LINE:
        return read_text(tag, TAG_HEADER_BYTES, info->command_line, sizeof(info->command_line));
    case TAG_LOADER_NAME:
        return read_text(tag, TAG_HEADER_BYTES, info->loader_name, sizeof(info->loader_name));
    case TAG_MODULE:
        return read_module(tag, info);
    case TAG_MEMORY_MAP:
        return read_memory_map(tag, info);
    case TAG_FRAMEBUFFER:
        return read_framebuffer(tag, info);
    default:
        return KERR_OK;
    }
}

/* Read the tags of the TOTAL bytes at BLOCK up to the end tag, which must be there. */
static kerr_t read_tags(const uint8_t *block, uint32_t total, struct boot_info *info)
{
    uint32_t offset = BLOCK_HEADER_BYTES;

    while (offset <= total && total - offset >= TAG_HEADER_BYTES) {
        uint32_t type = read_u32(block + offset);
        struct tag tag = {block + offset, read_u32(block + offset + 4)};
        if (tag.bytes < TAG_HEADER_BYTES || tag.bytes > total - offset)
            return KERR_BAD_VALUE;
        if (type == TAG_END)
            return KERR_OK;
        enum kerr error = read_tag(type, tag, info);
        if (error != KERR_OK)
            return error;
        uint32_t padding = -tag.bytes % TAG_ALIGNMENT;
        if (padding > total - offset - tag.bytes)
            break;
        offset += tag.bytes + padding;
    }
    return KERR_BAD_VALUE;
}

enum kerr boot_info_parse(const void *block, uint32_t bytes, paddr_t start, struct boot_info *info)
{
    memset(info, 0, sizeof(*info));
    if (bytes < BLOCK_HEADER_BYTES + TAG_HEADER_BYTES || start.v % TAG_ALIGNMENT != 0)
        return KERR_BAD_VALUE;
    uint32_t total = read_u32(block);
    if (total < BLOCK_HEADER_BYTES + TAG_HEADER_BYTES || total > bytes)
        return KERR_BAD_VALUE;
    info->information_start = start;
    info->information_bytes = total;
    enum kerr error = read_tags(block, total, info);
    if (error != KERR_OK)
        return error;
    return info->memory_count > 0 ? KERR_OK : KERR_NOT_FOUND;
}

const char *boot_module_file(const struct boot_module *module, size_t *length)
{
    const char *start = module->name;
    while (*start == ' ')
        start++;
    const char *end = start;
    for (; *end != ' ' && *end != '\0'; end++)
        if (*end == '/')
            start = end + 1;
    *length = (size_t)(end - start);
    return start;
}

const struct boot_module *boot_module_find(const struct boot_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->module_count; i++) {
        size_t length;
        const char *file = boot_module_file(&info->modules[i], &length);
        if (strlen(name) == length && strncmp(file, name, length) == 0)
            return &info->modules[i];
    }
    return NULL;
}
