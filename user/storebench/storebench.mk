# SPDX-License-Identifier: MIT
# The storage benchmark: one file without a C library, so that the same program runs on Droste and on Linux.

STOREBENCH := $(OUT)/user/storebench

.PHONY: bench-store

$(STOREBENCH): user/storebench/storebench.c user/storebench/storebench.mk | setup-user
	$(call say,USER)
	$(Q)mkdir -p $(@D) && i686-linux-gnu-gcc -O2 -Wall -march=i686 -static -nostdlib -ffreestanding -fno-pic -no-pie \
	    -fno-stack-protector -fcf-protection=none -fno-tree-loop-distribute-patterns \
	    -Wl,-z,noexecstack,--build-id=none $< -o $@

bench-store: $(KERNELS) $(STOREBENCH) | setup-test
	$(Q)NM=$(NM) tools/bench-store $(OUT)/droste.elf $(STOREBENCH) $(OUT) $(ROWS) $(STRETCH)
