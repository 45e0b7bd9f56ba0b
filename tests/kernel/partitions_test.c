/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Tests of partition tables, on disks that have nothing but tables.
 */
#include <device/partitions.h>
#include <kernel/string.h>
#include <kernel/test.h>

enum { DISK_SECTORS = 100000, TABLES_MAX = 70, TABLE_AT = 446, ENTRY_BYTES = 16 };
enum { LINUX = 0x83, EXTENDED = 0x05, EXTENDED_LBA = 0x0F };

/* The sectors of the disk that hold something; the others read as zeros. In the scratch memory. */
struct table {
    uint64_t at;
    uint8_t bytes[MBR_BYTES];
};
static struct table *const tables = (struct table *)test_scratch;
_Static_assert(sizeof(struct table) * TABLES_MAX <= TEST_SCRATCH_BYTES, "all tables");
static uint32_t table_count, reads, fails_at;

static struct partition found[PARTITIONS_MAX];
static uint32_t count;

static struct table *add_table(uint64_t at)
{
    struct table *table = &tables[table_count++];
    memset(table, 0, sizeof(*table));
    table->at = at;
    table->bytes[MBR_BYTES - 2] = 0x55;
    table->bytes[MBR_BYTES - 1] = 0xAA;
    return table;
}

static void set_entry(struct table *table, uint32_t number, uint8_t type, uint32_t first,
                      uint32_t sectors)
{
    uint8_t *entry = table->bytes + TABLE_AT + number * ENTRY_BYTES;
    entry[4] = type;
    memcpy(entry + 8, &first, sizeof(first));
    memcpy(entry + 12, &sectors, sizeof(sectors));
}

static void set_up(void)
{
    table_count = reads = 0;
    fails_at = UINT32_MAX;
}

static enum kerr read_table(void *context, uint64_t sector, uint8_t *bytes)
{
    (void)context;
    EXPECT(sector < DISK_SECTORS);
    if (reads++ == fails_at)
        return KERR_IO;
    memset(bytes, 0, MBR_BYTES);
    for (uint32_t i = 0; i < table_count; i++)
        if (tables[i].at == sector)
            memcpy(bytes, tables[i].bytes, MBR_BYTES);
    return KERR_OK;
}

static enum kerr read_all(void)
{
    return partitions_read(read_table, NULL, DISK_SECTORS, found, &count);
}

static void expect_partition(int line, uint32_t i, uint32_t number, uint32_t first,
                             uint32_t sectors)
{
    if (i >= count || found[i].number != number || found[i].first != first ||
        found[i].sectors != sectors)
        test_fail(__FILE__, line, "the partition is another one, or is not there");
}
#define EXPECT_PARTITION(i, number, first, sectors)                                                \
    expect_partition(__LINE__, i, number, first, sectors)

TEST("partitions", "a disk without a table, of no sectors, of code with a signature: none")
{
    set_up();
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 0);
    EXPECT_EQUAL(partitions_read(read_table, NULL, 0, found, &count), KERR_OK);
    EXPECT_EQUAL(count, 0);
    EXPECT_EQUAL(reads, 1);
    struct table *code = add_table(0);
    set_entry(code, 0, LINUX, 63, 1000);
    code->bytes[TABLE_AT + ENTRY_BYTES] = 0xEB; /* neither active nor not */
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 0);
}

TEST("partitions", "four entries, the second empty, the third active: numbers are places")
{
    set_up();
    struct table *mbr = add_table(0);
    set_entry(mbr, 0, LINUX, 63, 1000);
    set_entry(mbr, 2, 0x82, 2000, 1);
    set_entry(mbr, 3, 0x07, 3000, DISK_SECTORS - 3000);
    mbr->bytes[TABLE_AT + 2 * ENTRY_BYTES] = 0x80;
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 3);
    EXPECT_PARTITION(0, 1, 63, 1000);
    EXPECT_PARTITION(1, 3, 2000, 1);
    EXPECT_PARTITION(2, 4, 3000, DISK_SECTORS - 3000);
}

TEST("partitions", "entries that are empty, begin at 0, or end behind the disk: left out")
{
    set_up();
    struct table *mbr = add_table(0);
    set_entry(mbr, 0, LINUX, 0, 1000);
    set_entry(mbr, 1, LINUX, 1000, DISK_SECTORS - 999);
    set_entry(mbr, 2, LINUX, 0xFFFFFFFF, 0xFFFFFFFF);
    set_entry(mbr, 3, LINUX, 1000, 0);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 0);
}

/* Tables of an extended partition at 1000, one each 100 sectors, LENGTH of them. */
static void make_chain(uint32_t length)
{
    struct table *mbr = add_table(0);
    set_entry(mbr, 0, LINUX, 63, 500);
    set_entry(mbr, 1, EXTENDED_LBA, 1000, 90000);
    for (uint32_t i = 0; i < length; i++) {
        struct table *ebr = add_table(1000 + 100 * i);
        set_entry(ebr, 0, LINUX, 10, 50 + i);
        if (i + 1 < length)
            set_entry(ebr, 1, EXTENDED, 100 * (i + 1), 100);
    }
}

TEST("partitions", "a chain of three: from 5 on, each from its own table, links from the first")
{
    set_up();
    make_chain(3);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 4);
    EXPECT_PARTITION(0, 1, 63, 500);
    EXPECT_PARTITION(1, 5, 1010, 50);
    EXPECT_PARTITION(2, 6, 1110, 51);
    EXPECT_PARTITION(3, 7, 1210, 52);
}

TEST("partitions", "a chain that leads back to itself: comes to an end")
{
    set_up();
    make_chain(3);
    set_entry(&tables[3], 1, EXTENDED, 100, 100);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT(count <= PARTITIONS_MAX);
    EXPECT(reads <= 1 + PARTITIONS_MAX);
}

TEST("partitions", "a chain longer than there is room: as many as there is room for")
{
    set_up();
    make_chain(65);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, PARTITIONS_MAX);
    EXPECT_PARTITION(PARTITIONS_MAX - 1, 4 + PARTITIONS_MAX - 1, 1000 + 58 * 100 + 10, 108);
}

TEST("partitions", "a chain that leaves the disk, or ends in something else: what was there before")
{
    set_up();
    make_chain(3);
    set_entry(&tables[2], 1, EXTENDED, 0xFFFFFFFF, 100);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 3);
    set_entry(&tables[2], 1, EXTENDED, 5000, 100);
    EXPECT_EQUAL(read_all(), KERR_OK);
    EXPECT_EQUAL(count, 3);
}

TEST("partitions", "a sector that can't be read, each in turn: an error, and what came before")
{
    set_up();
    make_chain(3);
    for (uint32_t i = 0; i < 4; i++) {
        reads = 0;
        fails_at = i;
        EXPECT_EQUAL(read_all(), KERR_IO);
        EXPECT_EQUAL(count, i);
    }
}

TEST("partitions", "tables of random bytes: nothing outside of the disk, never endless")
{
    uint32_t seed = 20261128;
    for (uint32_t round = 0; round < 200; round++) {
        set_up();
        make_chain(3);
        for (uint32_t changes = test_random(&seed) % 8; changes-- > 0;) {
            uint32_t where = test_random(&seed) % 64, value = test_random(&seed);
            uint8_t *byte = &tables[value % 4].bytes[TABLE_AT + where];
            *byte =
                where % ENTRY_BYTES == 0 ? (uint8_t)(value >> 16 & 0x80) : (uint8_t)(value >> 16);
        }
        EXPECT_EQUAL(read_all(), KERR_OK);
        EXPECT(reads <= 1 + PARTITIONS_MAX);
        for (uint32_t i = 0; i < count; i++)
            EXPECT(found[i].first > 0 && found[i].sectors > 0 &&
                   (uint64_t)found[i].first + found[i].sectors <= DISK_SECTORS);
    }
}
