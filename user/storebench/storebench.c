/*
 * storebench: what swap and files cost on a 32-bit x86 kernel.
 * SPDX-License-Identifier: MIT
 *
 * One freestanding static i386 program: only Linux i386 system calls by int 0x80, no libc. Runs as an ordinary
 * program or as process 1 (then it mounts, swaps on, and powers off at the end).
 *
 *   i686-linux-gnu-gcc -O2 -march=i686 -static -nostdlib -ffreestanding -fno-pic -no-pie -fno-stack-protector \
 *       -fcf-protection=none -fno-tree-loop-distribute-patterns -o storebench storebench.c
 *
 * Words: swap=DEV (swapon), dev=DEV (mounted at dir=, default /mnt, as type=ext2), tmpfs=1 (mounts tmpfs there),
 * self=PATH (this program, default /storebench), fill=N (words written in each page, default 1), and rows:
 *   swap: seq rand zipf zero clean fork1 fork10 fork100 fork1000 fork10000 idle idlew relief
 *   file: raw rd mmap dirty wr meta exec    (raw reads DIR/big and DIR/big2, 32 MiB each, made by the host)
 *
 * Output: `name value unit`. For each measured stretch S, per its unit of work (page, call):
 *   S.tsc     rdtsc steps per unit: under `qemu -icount shift=0` instructions, and idle time waiting for the disk
 *   S.in, S.out, S.majflt       pages in all: /proc/vmstat pswpin, pswpout, pgmajfault
 *   S.dNr, .dNrK, .dNw, .dNwK   requests and KiB of disk N in all: /proc/diskstats
 *   S.mark    number of the mark (movl $0x5b0c4a7e,%eax) executed at the start; M+1 is the one at its end.
 *             markplug.so, a QEMU plugin, counts instructions there and holds the guest while its runner asks QMP;
 *             S.units: what to divide them by
 * Counters are 0, and their lines left out, where the kernel has no such file. `name -1 errno=E`: refused.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

enum {
    EXIT = 1,
    FORK = 2,
    READ = 3,
    WRITE = 4,
    OPEN = 5,
    CLOSE = 6,
    UNLINK = 10,
    EXECVE = 11,
    LSEEK = 19,
    GETPID = 20,
    MOUNT = 21,
    SYNC = 36,
    KILL = 37,
    RENAME = 38,
    MKDIR = 39,
    PIPE = 42,
    SWAPON = 87,
    REBOOT = 88,
    MUNMAP = 91,
    WAIT4 = 114,
    FSYNC = 118,
    MSYNC = 144,
    NANOSLEEP = 162,
    MMAP2 = 192,
    STAT64 = 195,
    FINIT_MODULE = 350
};
enum { R = 1, W = 2, SHARED = 1, PRIVATE = 2, ANON = 32, CREAT = 0100, TRUNC = 01000, RDWR = 2 };
#define PG     4096u
#define MB     (1024u * 1024u)
#define BAD(r) ((u32)(r) > 0xfffff000u)

static int sys6(int n, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
    int r;
    u32 v[2] = {(u32)n, f};
    __asm__ volatile(
        "pushl %%ebp\n movl 4(%%eax),%%ebp\n movl (%%eax),%%eax\n int $0x80\n popl %%ebp"
        : "=a"(r)
        : "0"(v), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
        : "memory", "cc");
    return r;
}
#define S5(n, a, b, c, d, e) sys6(n, (u32)(a), (u32)(b), (u32)(c), (u32)(d), (u32)(e), 0)
#define S3(n, a, b, c)       S5(n, a, b, c, 0, 0)
#define S2(n, a, b)          S3(n, a, b, 0)
#define S1(n, a)             S3(n, a, 0, 0)
void *memset(void *d, int c, __SIZE_TYPE__ n)
{
    u8 *p = d;
    while (n--)
        *p++ = c;
    return d;
}
void *memcpy(void *d, const void *s, __SIZE_TYPE__ n)
{
    u8 *p = d;
    const u8 *q = s;
    while (n--)
        *p++ = *q++;
    return d;
}
static u8 *map(u32 len, int prot, int flags, int fd)
{
    return (u8 *)sys6(MMAP2, 0, len, prot, flags, fd, 0);
}
static u8 *anon(u32 len)
{
    return map(len, R | W, PRIVATE | ANON, -1);
}
static void unmap(void *p, u32 len)
{
    S2(MUNMAP, p, len);
}
static int xopen(const char *p, int fl)
{
    return S3(OPEN, p, fl, 0644);
}
static void xexit(int c)
{
    for (;;)
        S1(EXIT, c);
}
static int xwait(int pid, int fl)
{
    return S5(WAIT4, pid, 0, fl, 0, 0);
}
static void pause_ms(u32 ms)
{
    u32 ts[2] = {ms / 1000, ms % 1000 * 1000000};
    S2(NANOSLEEP, ts, 0);
}
static inline u64 rdtsc(void)
{
    u64 t;
    __asm__ volatile("rdtsc" : "=A"(t)::"memory");
    return t;
}
static inline void marker(void)
{
    __asm__ volatile("movl $0x5b0c4a7e,%%eax" ::: "eax", "memory");
}

static u32 divmod(u64 *n, u32 d)
{
    u32 hi = *n >> 32, lo = *n, q1 = hi / d, q0, r = hi % d;
    __asm__("divl %4" : "=a"(q0), "=d"(r) : "0"(lo), "1"(r), "rm"(d));
    *n = (u64)q1 << 32 | q0;
    return r;
}
static char obuf[256];
static u32 olen;
static void pc(char c)
{
    obuf[olen++] = c;
    if (c == '\n' || olen == sizeof obuf) {
        S3(WRITE, 1, obuf, olen);
        olen = 0;
    }
}
static void ps(const char *s)
{
    while (*s)
        pc(*s++);
}
static void pu(u64 v)
{
    char b[24];
    int i = 0;
    do
        b[i++] = '0' + divmod(&v, 10);
    while (v);
    while (i)
        pc(b[--i]);
}
static void out(const char *a, const char *b, u64 v, const char *unit)
{
    ps(a);
    ps(b);
    pc(' ');
    pu(v);
    pc(' ');
    ps(unit);
    pc('\n');
}
static int refused(const char *a, int r)
{
    ps(a);
    ps(" -1 errno=");
    pu(-r);
    pc('\n');
    return r;
}

static u32 seed = 2463534242u;
static u32 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* ---- counters ------------------------------------------------------------------------------------------ */
static int slurp(const char *path, char *b, int size)
{
    int f = xopen(path, 0), n = 0, r;
    if (f < 0)
        return 0;
    while (n < size - 1 && (r = S3(READ, f, b + n, size - 1 - n)) > 0)
        n += r;
    S1(CLOSE, f);
    b[n] = 0;
    return n;
}
/* the k-th number behind the first word `name` that follows a space or a line's end */
static u32 number(const char *b, const char *name, int k)
{
    for (const char *p = b; *p; p++) {
        u32 i = 0, v = 0;
        if (p != b && p[-1] != '\n' && p[-1] != ' ')
            continue;
        while (name[i] && p[i] == name[i])
            i++;
        if (name[i] || (p[i] != ' ' && p[i] != ':'))
            continue;
        for (p += i; k >= 0 && *p; k--, p++) {
            while (*p == ' ' || *p == ':')
                p++;
            for (v = 0; *p >= '0' && *p <= '9'; p++)
                v = v * 10 + *p - '0';
        }
        return v;
    }
    return 0;
}
static char text[16384];
static const char *disk[2] = {"sda", "sdb"};
enum { NC = 11 };
static const char *cname[NC] = {".in",   ".out", ".majflt", ".d0r", ".d0rK", ".d0w",
                                ".d0wK", ".d1r", ".d1rK",   ".d1w", ".d1wK"};
static void counters(u32 *c)
{
    static const u8 col[4] = {0, 2, 4, 6};
    slurp("/proc/vmstat", text, sizeof text);
    c[0] = number(text, "pswpin", 0);
    c[1] = number(text, "pswpout", 0);
    c[2] = number(text, "pgmajfault", 0);
    slurp("/proc/diskstats", text, sizeof text);
    for (int i = 0; i < 8; i++)
        c[3 + i] = number(text, disk[i / 4], col[i % 4]) >> i % 2; /* sectors to KiB */
}
static u32 c0[NC], c1[NC], marks;
static u64 t0;
static void begin(void)
{
    counters(c0);
    marker();
    marks++;
    t0 = rdtsc();
}
static void end(const char *name, u32 per)
{
    u64 t = rdtsc() - t0;
    marker();
    marks++;
    counters(c1);
    if (!per)
        per = 1;
    divmod(&t, per);
    out(name, ".tsc", t, "cyc");
    out(name, ".units", per, "units");
    out(name, ".mark", marks - 2, "mark");
    for (int i = 0; i < NC; i++)
        if (c1[i] != c0[i])
            out(name, cname[i], c1[i] - c0[i], i < 3 ? "pages" : i & 1 ? "requests" : "KiB");
}

/* ---- swap ---------------------------------------------------------------------------------------------- */
static u32 fill = 1, errors;
static u32 val(u32 i)
{
    return (i + 1) * 2654435761u | 1;
}
static void put(u8 *p, u32 i)
{
    volatile u32 *w = (u32 *)(p + i * PG);
    for (u32 k = 0; k < fill; k++)
        w[k] = val(i + k * 77);
}
static void get(u8 *p, u32 i)
{
    if (*(volatile u32 *)(p + i * PG) != val(i))
        errors++;
}
static void put_all(u8 *p, u32 n)
{
    for (u32 i = 0; i < n; i++)
        put(p, i);
}
static void get_all(u8 *p, u32 n)
{
    for (u32 i = 0; i < n; i++)
        get(p, i);
}
static void check(const char *name)
{
    out(name, ".errors", errors, "errors");
    errors = 0;
}

/* a process that writes `mb` MiB when told, says so, and goes when told (-1) */
static int hog_go[2], hog_done[2], hog_pid;
static void hog_start(u32 mb)
{
    char c;
    S1(PIPE, hog_go);
    S1(PIPE, hog_done);
    if ((hog_pid = S1(FORK, 0)))
        return;
    S3(READ, hog_go[0], &c, 1);
    u8 *p = anon(mb * MB);
    if (!BAD(p))
        put_all(p, mb * 256);
    S3(WRITE, hog_done[1], "x", 1);
    S3(READ, hog_go[0], &c, 1);
    xexit(0);
}
static void hog_push(void)
{
    char c;
    S3(WRITE, hog_go[1], "x", 1);
    S3(READ, hog_done[0], &c, 1);
}
static void hog_end(void)
{
    S3(WRITE, hog_go[1], "x", 1);
    xwait(hog_pid, 0);
    for (int i = 0; i < 2; i++)
        S1(CLOSE, hog_go[i]), S1(CLOSE, hog_done[i]);
}

static void g_sweep(int seq, int rand, int zipf)
{
    const u32 n = 128 * MB / PG;
    u8 *p = anon(n * PG);
    begin();
    put_all(p, n);
    end("swap_seq_write", n);
    for (int k = 0; seq && k < 2; k++) {
        begin();
        get_all(p, n);
        end(k ? "swap_seq_read2" : "swap_seq_read1", n);
    }
    if (rand) {
        begin();
        for (u32 k = 0; k < 20000; k++)
            get(p, rnd() % n);
        end("swap_rand_read", 20000);
    }
    if (zipf) { /* 80 % of the touches go to a fifth of the pages, 80 % of those to a fifth of that, and so on */
        begin();
        for (u32 k = 0; k < 100000; k++) {
            u32 m = n, x = rnd();
            while (m > 16 && rnd() % 10 < 8)
                m /= 5;
            u32 page = (x % m) * 20021 % n; /* odd: a permutation of the 2^15 pages */
            if (rnd() % 5)
                get(p, page);
            else
                put(p, page);
        }
        end("swap_zipf", 100000);
    }
    check("swap_sweep");
    unmap(p, n * PG);
}
static void
g_zero(void) /* every page written, every second one then cleared: how many go to the disk? */
{
    const u32 n = 128 * MB / PG;
    u8 *p = anon(n * PG);
    begin();
    for (u32 i = 0; i < n; i++) {
        put(p, i);
        if (i & 1)
            for (u32 k = 0; k < fill; k++)
                ((volatile u32 *)(p + i * PG))[k] = 0;
    }
    end("swap_zero_write", n);
    begin();
    for (u32 i = 0; i < n; i++)
        if (i & 1)
            errors += !!*(volatile u32 *)(p + i * PG);
        else
            get(p, i);
    end("swap_zero_read", n);
    check("swap_zero");
    unmap(p, n * PG);
}
static void g_clean(u32 mb, const char *w, const char *a,
                    const char *b) /* read back, not written, evicted again */
{
    const u32 n = mb * MB / PG;
    u8 *p = anon(n * PG);
    begin();
    put_all(p, n);
    end(w, n);
    get_all(p, n);
    begin();
    get_all(p, n);
    end(a, n);
    begin();
    get_all(p, n);
    end(b, n);
    check(b);
    unmap(p, n * PG);
}
static void child_idle(int fd)
{
    char c;
    S3(READ, fd, &c, 1);
    xexit(0);
}
static void g_fork(u32 kids, const char *const *nm)
{
    const u32 n = 32 * MB / PG;
    int go[2], one[2], done[2];
    u32 k = 0;
    char c = 0;
    hog_start(64);
    S1(PIPE, go);
    S1(PIPE, one);
    S1(PIPE, done);
    u8 *p = anon(n * PG);
    put_all(p, n);
    int r = 0;
    begin();
    for (; k < kids; k++) {
        if (!(r = S1(FORK, 0))) {
            S1(CLOSE, go[1]);
            if (k)
                child_idle(go[0]);
            S3(READ, one[0], &c, 1);
            get_all(p, n);
            c = errors ? 'e' : 'k';
            S3(WRITE, done[1], &c, 1);
            child_idle(go[0]);
        }
        if (r < 0)
            break;
    }
    end(nm[0], k);
    if (r < 0)
        refused("fork", r);
    begin();
    hog_push();
    end(nm[1], 64 * MB / PG);
    hog_end();
    begin();
    get_all(p, n);
    end(nm[2], n);
    begin();
    S3(WRITE, one[1], "x", 1);
    S3(READ, done[0], &c, 1);
    end(nm[3], n);
    if (c != 'k')
        errors++;
    begin();
    S1(CLOSE, go[1]);
    S1(CLOSE, go[0]);
    for (u32 i = 0; i < k; i++)
        if (xwait(-1, 0) < 0)
            errors++;
    end(nm[4], k);
    S1(CLOSE, one[0]);
    S1(CLOSE, one[1]);
    S1(CLOSE, done[0]);
    S1(CLOSE, done[1]);
    check(nm[1]);
    unmap(p, n * PG);
}
static void
g_idle(int written,
       const char *const *nm) /* sleeping children of a 1 MiB parent, until refused or killed */
{
    int go[2], said[2], r = 0;
    u32 k = 0;
    char c;
    u64 t, ten[2] = {0, 0}, ring[16];
    S1(PIPE, go);
    S1(PIPE, said);
    u8 *p = anon(MB);
    put_all(p, 256);
    begin();
    for (; k < 30000; k++) {
        t = rdtsc();
        if (!(r = S1(FORK, 0))) {
            S1(CLOSE, go[1]);
            if (written)
                put_all(p, 256);
            S3(WRITE, said[1], "x", 1);
            child_idle(go[0]);
        }
        t = rdtsc() - t;
        if (r < 0)
            break;
        if (k < 10)
            ten[0] += t;
        ring[k % 16] = t;
        if (k % 50 == 49)
            out(nm[0], ".so_far", k + 1, "processes");
        if ((r = xwait(-1, 1)) > 0)
            break;                /* one was killed */
        S3(READ, said[0], &c, 1); /* the new one has run, and sleeps next */
        if ((r = xwait(-1, 1)) > 0)
            break;
    }
    end(nm[0], k);
    for (u32 i = 0; i < 16 && i < k; i++)
        ten[1] += ring[i];
    out(nm[0], ".count", k, r < 0 ? "until_refused" : r > 0 ? "until_one_was_killed" : "processes");
    if (r < 0)
        refused(nm[0], r);
    divmod(&ten[0], 10);
    divmod(&ten[1], 16);
    out(nm[0], ".fork_first10", ten[0], "cyc");
    out(nm[0], ".fork_last16", ten[1], "cyc");
    begin();
    S1(CLOSE, go[1]);
    S1(CLOSE, go[0]);
    while (xwait(-1, 0) > 0)
        ;
    end(nm[1], k);
    S1(CLOSE, said[0]);
    S1(CLOSE, said[1]);
    unmap(p, MB);
}
static u64 pass(u8 *p)
{
    u64 t = rdtsc();
    get_all(p, 256);
    return rdtsc() - t;
}
static void g_relief(void)
{
    u8 *p = anon(MB);
    u64 old = ~0ull, t, first = 0;
    u32 passes = 0;
    hog_start(128);
    put_all(p, 256);
    for (int i = 0; i < 9; i++)
        if ((t = pass(p)) < old)
            old = t;
    hog_push();
    begin();
    hog_end();
    u64 gone = rdtsc() - t0;
    do {
        t = pass(p);
        if (!passes++)
            first = t;
    } while (t > 2 * old);
    end("swap_relief", 1);
    out("swap_relief", ".exit", gone, "cyc");
    out("swap_relief", ".old_pass", old, "cyc");
    out("swap_relief", ".first_pass", first, "cyc");
    out("swap_relief", ".passes", passes, "passes");
    check("swap_relief");
    unmap(p, MB);
}

/* ---- files --------------------------------------------------------------------------------------------- */
static const char *dir = "/mnt";
static u8 buf[65536];
static char nameb[2][64];
static char *in_dir(int k, const char *leaf)
{
    char *d = nameb[k];
    for (const char *s = dir; *s;)
        *d++ = *s++;
    *d++ = '/';
    while ((*d++ = *leaf++))
        ;
    return nameb[k];
}
static int make(const char *leaf, u32 bytes)
{
    int f = xopen(in_dir(0, leaf), CREAT | TRUNC | RDWR);
    for (u32 at = 0; f >= 0 && at < bytes; at += sizeof buf)
        if (S3(WRITE, f, buf, sizeof buf) != sizeof buf) {
            errors++;
            break;
        }
    return f < 0 ? refused(leaf, f) : f;
}
static u32 read_all(int f, u32 step)
{
    u32 n = 0;
    int r;
    S3(LSEEK, f, 0, 0);
    while ((r = S3(READ, f, buf, step)) > 0)
        n += r;
    return n;
}
static const u32 N8 = 8 * MB / PG;

static void g_raw(void)
{
    int f = xopen(in_dir(0, "big"), 0);
    if (f < 0) {
        refused("file_raw", f);
        return;
    }
    begin();
    u32 n = read_all(f, sizeof buf);
    end("file_raw_read64K", n / PG);
    S1(CLOSE, f);
    if ((f = xopen(in_dir(0, "big2"), 0)) < 0)
        return;
    u8 *p = map(n, R, PRIVATE, f);
    begin();
    for (u32 i = 0; i < n; i += PG)
        (void)*(volatile u8 *)(p + i);
    end("file_raw_mmap", n / PG);
    unmap(p, n);
    S1(CLOSE, f);
}
static void g_rd(void)
{
    int f = make("cached", 8 * MB);
    if (f < 0)
        return;
    S1(FSYNC, f);
    read_all(f, sizeof buf);
    for (int k = 0; k < 2; k++) {
        begin();
        read_all(f, PG);
        end("file_read4K", N8);
    }
    for (int k = 0; k < 2; k++) {
        begin();
        read_all(f, sizeof buf);
        end("file_read64K", N8);
    }
    S1(CLOSE, f);
}
static void g_mmap(void)
{
    int f = make("cached", 8 * MB);
    if (f < 0)
        return;
    S1(FSYNC, f);
    for (int sh = 0; sh < 2; sh++) {
        u8 *p = map(8 * MB, R, sh ? SHARED : PRIVATE, f);
        if (BAD(p)) {
            refused(sh ? "file_mmap_shared" : "file_mmap_private", (int)p);
            continue;
        }
        begin();
        for (u32 i = 0; i < N8; i++)
            (void)*(volatile u8 *)(p + i * PG);
        end(sh ? "file_mmap_shared" : "file_mmap_private", N8);
        begin();
        unmap(p, 8 * MB);
        end(sh ? "file_munmap_shared" : "file_munmap_private", N8);
    }
    /* one page in 64: no neighbour helps */
    u8 *p = map(8 * MB, R, PRIVATE, f);
    begin();
    for (u32 i = 0; i < N8; i += 64)
        (void)*(volatile u8 *)(p + i * PG);
    end("file_mmap_sparse", N8 / 64);
    unmap(p, 8 * MB);
    p = map(8 * MB, R | W, PRIVATE, f);
    begin();
    for (u32 i = 0; i < N8; i++)
        p[i * PG] = 1;
    end("file_mmap_private_write", N8);
    unmap(p, 8 * MB);
    S1(CLOSE, f);
}
static void g_dirty(void)
{
    int f = make("cached", 8 * MB);
    if (f < 0)
        return;
    S1(FSYNC, f);
    u8 *p = map(8 * MB, R | W, SHARED, f);
    if (BAD(p)) {
        refused("file_shared_write", (int)p);
        return;
    }
    for (int k = 0; k < 2; k++) {
        begin();
        for (u32 i = 0; i < N8; i++)
            p[i * PG] = 1;
        end(k ? "file_shared_write_again" : "file_shared_write", N8);
        begin();
        S3(MSYNC, p, 8 * MB, 4);
        end("file_msync", N8);
    }
    for (u32 i = 0; i < N8; i += 64)
        p[i * PG] = 2;
    begin();
    S3(MSYNC, p, 8 * MB, 4);
    end("file_msync_sparse", N8 / 64);
    p[0] = 3;
    begin();
    S3(MSYNC, p, 8 * MB, 4);
    end("file_msync_one", 1);
    unmap(p, 8 * MB);
    S1(CLOSE, f);
}
static void g_wr(void)
{
    static const char *nm[3][2] = {{"file_write_new", "file_fsync_new"},
                                   {"file_overwrite", "file_fsync_over"},
                                   {"file_overwrite64K", "file_fsync_over64K"}};
    int f = xopen(in_dir(0, "written"), CREAT | TRUNC | RDWR);
    if (f < 0) {
        refused("file_write", f);
        return;
    }
    S1(SYNC, 0);
    for (int k = 0; k < 3; k++) {
        u32 step = k == 2 ? sizeof buf : PG;
        S3(LSEEK, f, 0, 0);
        begin();
        for (u32 i = 0; i < 8 * MB; i += step)
            if (S3(WRITE, f, buf, step) != (int)step)
                errors++;
        end(nm[k][0], N8);
        begin();
        S1(FSYNC, f);
        end(nm[k][1], N8);
    }
    S3(LSEEK, f, 0, 0);
    S3(WRITE, f, buf, 1);
    begin();
    S1(FSYNC, f);
    end("file_fsync_1byte", 1);
    S1(CLOSE, f);
    begin();
    S1(UNLINK, in_dir(0, "written"));
    end("file_unlink_8M", N8);
    begin();
    S1(SYNC, 0);
    end("file_sync_after_unlink", 1);
    check("file_wr");
}
static char *numbered(int k, u32 i)
{
    char *b = in_dir(k, "m/f0000");
    for (int d = 0, e = 0;;) {
        while (b[e])
            e++;
        for (; d < 4; d++, i /= 10)
            b[--e] = '0' + i % 10;
        return b;
    }
}
static void g_meta(void)
{
    static u32 st[32];
    int r = S2(MKDIR, in_dir(0, "m"), 0755);
    if (r < 0 && r != -17) {
        refused("file_meta", r);
        return;
    }
    begin();
    for (u32 i = 0; i < 1000; i++)
        S1(CLOSE, xopen(numbered(0, i), CREAT | RDWR));
    end("file_create_1000", 1000);
    begin();
    S1(SYNC, 0);
    end("file_create_sync", 1000);
    begin();
    for (u32 i = 0; i < 1000; i++)
        S1(CLOSE, xopen(numbered(0, i), 0));
    end("file_open_close_each", 1000);
    numbered(0, 500);
    begin();
    for (u32 i = 0; i < 1000; i++)
        S1(CLOSE, xopen(nameb[0], 0));
    end("file_open_close_one", 1000);
    S2(MKDIR, in_dir(0, "a"), 0755);
    S2(MKDIR, in_dir(0, "a/b"), 0755);
    S2(MKDIR, in_dir(0, "a/b/c"), 0755);
    S1(CLOSE, xopen(in_dir(0, "a/b/c/f"), CREAT | RDWR)); /* with /mnt: 5 parts */
    begin();
    for (u32 i = 0; i < 1000; i++)
        errors += !!S2(STAT64, nameb[0], st);
    end("file_stat_5parts", 1000);
    in_dir(
        1,
        "a/b/c/g"); /* in a directory of a few entries, where no search of a long one hides the rest */
    begin();
    for (u32 i = 0; i < 500; i++)
        errors += !!S2(RENAME, nameb[0], nameb[1]) + !!S2(RENAME, nameb[1], nameb[0]);
    end("file_rename_small", 1000);
    begin();
    for (u32 i = 0; i < 1000; i++) {
        S1(CLOSE, xopen(nameb[1], CREAT | RDWR));
        errors += !!S1(UNLINK, nameb[1]);
    }
    end("file_create_unlink_small", 1000);
    in_dir(0, "a/b/c/none");
    begin();
    for (u32 i = 0; i < 1000; i++)
        S2(STAT64, nameb[0], st);
    end("file_stat_missing", 1000);
    numbered(0, 500);
    in_dir(1, "m/other");
    begin();
    for (u32 i = 0; i < 500; i++)
        errors += !!S2(RENAME, nameb[0], nameb[1]) + !!S2(RENAME, nameb[1], nameb[0]);
    end("file_rename_in_1000", 1000);
    begin();
    for (u32 i = 0; i < 1000; i++)
        errors += !!S1(UNLINK, numbered(0, i));
    end("file_unlink_1000", 1000);
    begin();
    S1(SYNC, 0);
    end("file_unlink_sync", 1000);
    check("file_meta");
}
__attribute__((used)) static const volatile u8 pad[600 * 1024] = {
    1}; /* this program is also the 600 KB one that the exec row runs */
static const char *self = "/storebench";
static void g_exec(void)
{
    static char *argv[] = {"nop", 0};
    int from = xopen(self, 0), to = xopen(in_dir(0, "prog"), CREAT | TRUNC | RDWR), n, fd[2];
    u64 t, *shared = (u64 *)map(PG, R | W, SHARED | ANON, -1);
    if (from < 0 || to < 0) {
        refused("file_exec", from < 0 ? from : to);
        return;
    }
    while ((n = S3(READ, from, buf, sizeof buf)) > 0)
        S3(WRITE, to, buf, n);
    S1(CLOSE, from);
    S1(CLOSE, to);
    S3(15 /* chmod */, in_dir(0, "prog"), 0755, 0);
    S1(PIPE, fd);
    S2(63 /* dup2 */, fd[1], 9);
    u64 least = ~0ull;
    for (int k = 0; k < 21; k++) {
        if (k == 1)
            begin();
        int pid = S1(FORK, 0);
        if (!pid) {
            shared[0] = rdtsc();
            S3(EXECVE, nameb[0], argv, argv + 1);
            xexit(1);
        }
        S3(READ, fd[0], &t, 8);
        xwait(pid, 0);
        if (t - shared[0] < least)
            least = t - shared[0];
    }
    end("file_fork_exec_exit_wait", 20);
    out("file_execve", ".min", least, "cyc");
    S1(CLOSE, fd[0]);
    S1(CLOSE, fd[1]);
    S1(CLOSE, 9);
}

/* ---- the whole ----------------------------------------------------------------------------------------- */
static int argc;
static char **argv;
static const char *word(const char *w) /* the word itself, or what follows w when it ends in = */
{
    for (int i = 1; i < argc; i++) {
        u32 k = 0;
        while (w[k] && argv[i][k] == w[k])
            k++;
        if (!w[k] && (!argv[i][k] || w[k - 1] == '='))
            return argv[i] + k;
    }
    return 0;
}
static int wait_for(const char *dev)
{
    int f = -1;
    for (int i = 0; i < 500 && (f = xopen(dev, 0)) < 0; i++)
        pause_ms(10);
    S1(CLOSE, f);
    return f;
}
static void setup(void)
{
    char ko[] = "/ko/00";
    int r;
    S2(MKDIR, "/proc", 0755);
    S2(MKDIR, "/dev", 0755);
    S2(MKDIR, dir, 0755);
    S5(MOUNT, "none", "/proc", "proc", 0, 0);
    if ((r = xopen("/proc/sys/kernel/threads-max", 1)) >= 0)
        S3(WRITE, r, "32000\n", 6), S1(CLOSE, r); /* memory is to be the limit */
    S5(MOUNT, "none", "/dev", "devtmpfs", 0, 0);
    for (int i = 0; i < 99; i++) { /* modules, in the order of their numbers */
        ko[4] = '0' + i / 10;
        ko[5] = '0' + i % 10;
        int f = xopen(ko, 0);
        if (f < 0)
            break;
        if ((r = S3(FINIT_MODULE, f, "", 0)) < 0)
            refused(ko, r);
        S1(CLOSE, f);
        S1(UNLINK, ko);
    }
    if (word("dev=")) {
        wait_for(word("dev="));
        if ((r = S5(MOUNT, word("dev="), dir, word("type=") ? word("type=") : "ext2", 0,
                    word("opt="))) < 0)
            refused("mount", r);
    } else if (word("tmpfs="))
        S5(MOUNT, "none", dir, "tmpfs", 0, 0);
}
static void main_(void)
{
    static const char *const fk[5][5] = {
#define NM(n)                                                                                      \
    {"swap_fork" n "_call", "swap_fork" n "_push", "swap_fork" n "_parent_read",                   \
     "swap_fork" n "_child_read", "swap_fork" n "_exit"}
        NM("1"), NM("10"), NM("100"), NM("1000"), NM("10000")};
    static const char *const id[2][2] = {{"swap_idle", "swap_idle_exit"},
                                         {"swap_idle_written", "swap_idle_written_exit"}};
    u64 t = rdtsc();
    const char *v;
    int r;
    if ((v = word("dir=")))
        dir = v;
    if ((v = word("self=")))
        self = v;
    if ((v = word("fill=")))
        for (fill = 0; *v; v++)
            fill = fill * 10 + *v - '0';
    if (S1(GETPID, 0) == 1)
        setup();
    if ((v = word("swap="))) {
        wait_for(v);
        if ((r = S2(SWAPON, v, 0)) < 0)
            refused("swapon", r);
    }
    out("boot_tsc", "", t, "cyc");
    if (slurp("/proc/meminfo", text, sizeof text)) {
        out("boot_total", "", number(text, "MemTotal", 0), "kB");
        out("boot_free", "", number(text, "MemFree", 0), "kB");
        out("boot_available", "", number(text, "MemAvailable", 0), "kB");
        out("boot_swap", "", number(text, "SwapTotal", 0), "kB");
    }
    out("program_pad", "", pad[0] ? sizeof pad : 0, "B");
    begin();
    end("nothing", 1);
    if (word("raw"))
        g_raw();
    if (word("rd"))
        g_rd();
    if (word("mmap"))
        g_mmap();
    if (word("dirty"))
        g_dirty();
    if (word("wr"))
        g_wr();
    if (word("meta"))
        g_meta();
    if (word("exec"))
        g_exec();
    if (word("relief"))
        g_relief();
    if (word("seq") || word("rand") || word("zipf"))
        g_sweep(!!word("seq"), !!word("rand"), !!word("zipf"));
    if (word("zero"))
        g_zero();
    if (word("clean")) {
        g_clean(96, "swap_clean96_write", "swap_clean96_read", "swap_clean96_again");
        g_clean(160, "swap_clean160_write", "swap_clean160_read", "swap_clean160_again");
    }
    if (word("fork1"))
        g_fork(1, fk[0]);
    if (word("fork10"))
        g_fork(10, fk[1]);
    if (word("fork100"))
        g_fork(100, fk[2]);
    if (word("idlew"))
        g_idle(1, id[1]);
    if (word("idle"))
        g_idle(0, id[0]);
    if (word("fork1000"))
        g_fork(1000, fk[3]);
    if (word("fork10000"))
        g_fork(10000, fk[4]);
    ps("storebench_end 0 none\n");
    if (S1(GETPID, 0) == 1)
        S5(REBOOT, 0xfee1dead, 672274793, 0x4321fedc, 0, 0);
    xexit(0);
}
void start_c(u32 *sp)
{
    argc = sp[0];
    argv = (char **)(sp + 1);
    if (argc && argv[0][0] == 'n' && argv[0][1] == 'o') {
        u64 t = rdtsc();
        S3(WRITE, 9, &t, 8);
        xexit(0);
    }
    main_();
}
__asm__(".globl _start\n_start: xorl %ebp,%ebp\n movl %esp,%eax\n andl $-16,%esp\n subl $12,%esp\n "
        "pushl %eax\n call start_c\n");
