# SPDX-License-Identifier: MIT
# The same C on the host (docs/testing.md): the kernel's layers 1-6 over a model of the machine, and, for
# `system`, all below the programs.
#
# Included by the Makefile, whose lists of sources it uses. Four builds of the same objects:
#   asan    gcc, address and undefined-behaviour sanitizers     unit tests, random sequences
#   fast    gcc -O2, no sanitizer                               exhaustive sequences
#   fuzz    clang, libFuzzer and both sanitizers
#   cov     clang, source-based coverage

HOST      := build/host
HOST_BASE := 0x200000000000

# Layer 0 as far as it is not the CPU's own. kernel/test.c keeps its state when a machine restarts.
HOST_KERNEL := boot/early.c boot/boot_info.c arch/i386/fault.c kernel/string.c kernel/format.c \
    kernel/printk.c kernel/options.c kernel/memmap.c kernel/kerr.c kernel/channel.c kernel/rbtree.c prompt/line.c \
    prompt/prompt.c store/page_compress.c $(SRC_1) $(filter-out %/framebuffer_init.c,$(SRC_2)) $(SRC_3) $(SRC_4) $(SRC_5) $(SRC_6)
# Of layer 9, what needs no process.
HOST_FILES := file/inode.c file/names.c file/tmpfs.c file/tmpfs_names.c file/cpio.c file/initramfs.c
HOST_TESTS := kernel/test.c $(filter-out %_bench.c %/protection_test.c %/disk_test.c, \
    $(call unit_tests,boot_info memmap string format options rbtree page_compress) \
    $(TESTS_1) $(TESTS_2) $(TESTS_3) $(TESTS_4) $(TESTS_5) $(TESTS_6))
# Layers 7-10 as far as they are not about programs' files, and the parts of the machine that they want.
HOST_UPPER := $(SRC_7) $(SRC_8) $(SRC_9) $(filter program/memory_%,$(SRC_10)) \
    tests/host/system/arch.c tests/host/system/disk.c
HOST_OWN   := $(wildcard tests/host/*.c) tests/host/probe.S tests/host/system/user_copy.S tests/host/ext2/disk.c \
    $(filter-out $(HOST_UPPER),$(wildcard tests/host/system/*.c))
HOST_MODEL := tests/host/ram.c tests/host/machine.c tests/host/machine_life.c tests/host/platform.c \
    tests/host/ports.c tests/host/probe.S

HOST_CFLAGS := -std=gnu11 -g -fPIC -fno-omit-frame-pointer -DCHECKED=1 \
    -DADDRESS_SPACE_BASE=$(HOST_BASE) '-Dregparm(n)=' -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Werror -Itests/host/include -Iinclude -I. -MMD -MP
HOST_LDFLAGS := -no-pie -Wl,--no-relax -Wl,-T,tests/host/host.ld \
    -Wl,--defsym=ADDRESS_SPACE_BASE=$(HOST_BASE) \
    $(foreach f,frame_alloc frame_free frame_put_last ledger_pte_stored ledger_pde_changes \
    ledger_leave,-Wl,--wrap=$(f))
HOST_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined

HOST_CC_asan := gcc -O1 -malign-data=abi -Wno-attributes $(HOST_SANITIZERS)
HOST_CC_fast := gcc -O2 -malign-data=abi -Wno-attributes
HOST_CC_fuzz := clang -O1 -Wno-unused-command-line-argument $(HOST_SANITIZERS) \
    -fsanitize=fuzzer-no-link -mllvm -asan-globals=0
HOST_CC_cov  := clang -O1 -fprofile-instr-generate -fcoverage-mapping

# The kernel's variables go into sections of their own; its mem... and str... functions, which the
# host has as well, get names of their own.
HOST_RENAME := --rename-section .bss=.kernel.bss,alloc,load,data,contents \
    $(foreach s,.data .data.rel .data.rel.local,--rename-section $(s)=.kernel.data)
HOST_REDEFINE := $(foreach f,memcpy memmove memset memcmp strlen strcmp strncmp strchr,\
    --redefine-sym $(f)=kernel_$(f))

# $(call host_objects,BUILD,SOURCES)
host_objects = $(2:%=$(HOST)/$(1)/%.o)

# Static patterns, so that each kind of source has its own rule.
# $(call host_rules,BUILD)
define host_rules
$(call host_objects,$(1),$(sort $(HOST_KERNEL) $(HOST_FILES) $(HOST_UPPER))): $(HOST)/$(1)/%.o: % Makefile tests/host/host.mk
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(HOST_CC_$(1)) $$(HOST_CFLAGS) -ffreestanding -c $$< -o $$@
	$$(Q)objcopy $$(HOST_RENAME) $$(if $$(filter kernel/string.c,$$<),$$(HOST_REDEFINE)) $$@

$(call host_objects,$(1),$(HOST_TESTS)): $(HOST)/$(1)/%.o: % Makefile tests/host/host.mk
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(HOST_CC_$(1)) $$(HOST_CFLAGS) -Wno-format -ffreestanding -c $$< -o $$@
	$$(Q)$$(if $$(findstring string_test,$$<),objcopy $$(HOST_REDEFINE) $$@)

$(call host_objects,$(1),$(HOST_OWN)): $(HOST)/$(1)/%.o: % Makefile tests/host/host.mk
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(HOST_CC_$(1)) $$(HOST_CFLAGS) -D_GNU_SOURCE -c $$< -o $$@
endef

# $(call host_program,BUILD,NAME,SOURCES,LIBRARIES): SOURCES may be the kernel's as well
define host_program
$(HOST)/$(1)/$(2): $(call host_objects,$(1),$(HOST_KERNEL) $(HOST_MODEL) $(3)) tests/host/host.ld
	$$(call say,LINK)
	$$(Q)$$(HOST_CC_$(1)) $$(HOST_LDFLAGS) $$(filter %.o,$$^) $(4) -o $$@
endef

$(foreach build,asan fast fuzz cov,$(eval $(call host_rules,$(build))))

# ext2 alone, over a page cache and inodes of the test's own.
HOST_EXT2 := $(SRC_EXT2) $(filter-out %/fuzz.c,$(wildcard tests/host/ext2/*.c))
HOST_EXT2_FUZZ := $(filter-out %/main.c,$(HOST_EXT2)) tests/host/ext2/fuzz.c
HOST_EXT2_CFLAGS := -std=gnu11 -g -fno-omit-frame-pointer -DCHECKED=1 '-Dregparm(n)=' -D_GNU_SOURCE \
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -Itests/host/ext2/include \
    -Itests/host/include -Iinclude -I. -MMD -MP
HOST_CC_ext2 := gcc -O1 $(HOST_SANITIZERS)

$(call host_objects,ext2,$(HOST_EXT2)): $(HOST)/ext2/%.o: % Makefile tests/host/host.mk
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(HOST_CC_ext2) $(HOST_EXT2_CFLAGS) -c $< -o $@

$(call host_objects,ext2-fuzz,$(HOST_EXT2_FUZZ)): $(HOST)/ext2-fuzz/%.o: % Makefile tests/host/host.mk
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(HOST_CC_fuzz) $(HOST_EXT2_CFLAGS) -c $< -o $@

$(HOST)/fuzz/fuzz_ext2: $(call host_objects,ext2-fuzz,$(HOST_EXT2_FUZZ))
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(HOST_CC_fuzz) $^ -fsanitize=fuzzer -o $@

$(HOST)/ext2/ext2: $(call host_objects,ext2,$(HOST_EXT2))
	$(call say,LINK)
	$(Q)$(HOST_CC_ext2) $^ -o $@

HOST_AUDIT      := tests/host/audit.c
HOST_OPERATIONS := tests/host/operations.c tests/host/play.c tests/host/play_lose.c \
    tests/host/play_pager.c tests/host/play_swap.c $(HOST_AUDIT) $(SRC_7) tests/host/system/arch.c \
    tests/host/system/disk.c
# The whole kernel below the programs, with programs of the test and a disk.
HOST_SYSTEM     := tests/host/system/user_copy.S $(HOST_AUDIT) tests/host/ext2/disk.c \
    $(filter-out $(HOST_UPPER),$(wildcard tests/host/system/*.c))
HOST_FUZZERS    := fuzz_operations fuzz_boot_info fuzz_text fuzz_elf

$(foreach b,asan cov,\
    $(eval $(call host_program,$(b),self_tests,$(HOST_TESTS) tests/host/self_tests.c))\
    $(eval $(call host_program,$(b),random,kernel/test.c tests/host/random.c $(HOST_OPERATIONS)))\
    $(eval $(call host_program,$(b),ata_test,tests/host/ata_model.c tests/host/ata_test.c))\
    $(eval $(call host_program,$(b),failures,tests/host/failures.c $(HOST_AUDIT))))
$(eval $(call host_program,asan,system,$(HOST_UPPER) $(HOST_SYSTEM)))
$(eval $(call host_program,asan,model_test,tests/host/model_test.c,-lcmocka))
$(foreach b,asan cov,\
    $(eval $(call host_program,$(b),layers_test,tests/host/layers_test.c $(HOST_AUDIT),-lcmocka)))
$(eval $(call host_program,fast,exhaustive,tests/host/exhaustive.c $(HOST_OPERATIONS)))
$(foreach b,fuzz cov,$(foreach fuzzer,$(HOST_FUZZERS),$(eval $(call host_program,$(b),$(fuzzer),\
    tests/host/$(fuzzer).c $(HOST_OPERATIONS),-fsanitize=fuzzer))))

$(foreach b,fuzz cov,$(eval $(call host_program,$(b),fuzz_cpio,$(HOST_FILES) tests/host/fuzz_cpio.c,\
    -fsanitize=fuzzer)))

.PHONY: host fuzz coverage host-programs host-coverage-programs

#: make host           the same C on the host, over a model of the machine (a part of `make test`)
#: make fuzz           the same for hours: each fuzzer FUZZ_SECONDS=600, 10^6 operations on files and in 40 frames
#: make coverage       which lines of layers 1-6 the host's tests reach
host: setup-test
	$(Q)tests/host/run

fuzz: FUZZ_SECONDS ?= 600
fuzz: setup-test
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) CHECK_LIMIT=7200 HOST_LONG=1 RANDOM_ROUNDS=10 RANDOM_SWAP=2000 EXHAUSTIVE_PART=1 EXHAUSTIVE_SWAP=6 \
	    SYSTEM_ROUNDS=125 SYSTEM_STEP=1 tests/host/run 'host-(fuzz|self|exhaustive|random|system|panics)'

coverage: setup-test
	$(Q)tests/host/coverage

host-programs: $(addprefix $(HOST)/asan/,model_test layers_test self_tests random failures ata_test system) \
    $(HOST)/fast/exhaustive $(HOST)/ext2/ext2 \
    $(addprefix $(HOST)/fuzz/,$(HOST_FUZZERS) fuzz_ext2 fuzz_cpio)

host-coverage-programs: \
    $(addprefix $(HOST)/cov/,layers_test self_tests random failures ata_test $(HOST_FUZZERS))

-include $(wildcard $(foreach b,asan fast fuzz cov ext2 ext2-fuzz,$(HOST)/$(b)/*/*.d $(HOST)/$(b)/*/*/*.d \
    $(HOST)/$(b)/*/*/*/*.d))
