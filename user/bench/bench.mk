# SPDX-License-Identifier: MIT
# The benchmark program: the compiler's own parts, no C library, so that nothing stands between two
# readings of the time-stamp counter but the call. One binary for Droste and for Linux.
# -fno-tree-loop-distribute-patterns: memset is written as a loop, not as a call of memset.

BENCH_SOURCES := $(wildcard user/bench/*.c)
BENCH_PROGRAM := $(OUT)/user/bench

BENCH_CC := i686-linux-gnu-gcc -std=gnu11 -O2 -march=i686 -ffreestanding -fno-pie -fno-pic \
    -fno-stack-protector -fcf-protection=none -fno-tree-loop-distribute-patterns \
    -fno-asynchronous-unwind-tables -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Werror

.PHONY: bench-linux

$(BENCH_PROGRAM): $(BENCH_SOURCES) $(wildcard user/bench/*.h) user/bench/bench.mk | setup-user
	$(call say,USER)
	$(Q)mkdir -p $(@D) && $(BENCH_CC) -static -nostdlib -no-pie -Wl,-z,noexecstack,--build-id=none \
	    $(BENCH_SOURCES) -lgcc -o $@

bench-linux: $(KERNELS) $(BENCH_PROGRAM)
	$(Q)tools/bench-linux $(OUT)/droste.elf $(BENCH_PROGRAM) $(OUT)
