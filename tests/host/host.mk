# SPDX-License-Identifier: MIT
# The same C on the host (docs/testing.md): the kernel's layers 1-5 over a model of the machine.
#
# Included by the Makefile, whose lists of sources it uses. Four builds of the same objects:
#   asan    gcc, address and undefined-behaviour sanitizers     unit tests, random sequences
#   fast    gcc -O2, no sanitizer                               exhaustive sequences
#   fuzz    clang, libFuzzer and both sanitizers
#   cov     clang, source-based coverage

HOST      := build/host
HOST_BASE := 0x200000000000

# Layer 0 as far as it is not the CPU's own. kernel/test.c keeps its state when a machine restarts.
HOST_KERNEL := boot/early.c boot/boot_info.c arch/i386/fault.c \
    kernel/string.c kernel/format.c kernel/printk.c kernel/options.c kernel/memmap.c kernel/kerr.c \
    kernel/rbtree.c kernel/line.c $(SRC_1) $(filter-out %/framebuffer_init.c,$(SRC_2)) $(SRC_3) $(SRC_4) $(SRC_5)
HOST_TESTS := kernel/test.c $(filter-out %_bench.c %/protection_test.c,$(call unit_tests,boot_info memmap string \
    format options rbtree) $(TESTS_1) $(TESTS_2) $(TESTS_3) $(TESTS_4) $(TESTS_5))
HOST_OWN   := $(wildcard tests/host/*.c) tests/host/probe.S
HOST_MODEL := tests/host/machine.c tests/host/platform.c tests/host/probe.S

HOST_CFLAGS := -std=gnu11 -g -fPIC -fno-omit-frame-pointer -DCHECKED=1 \
    -DADDRESS_SPACE_BASE=$(HOST_BASE)u '-Dregparm(n)=' -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Werror -Itests/host/include -Iinclude -I. -MMD -MP
HOST_LDFLAGS := -no-pie -Wl,--no-relax -Wl,-T,tests/host/host.ld \
    -Wl,--defsym=ADDRESS_SPACE_BASE=$(HOST_BASE) \
    -Wl,--wrap=frame_alloc,--wrap=frame_free,--wrap=frame_put_last
HOST_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined

HOST_CC_asan := gcc -O1 -malign-data=abi -Wno-attributes $(HOST_SANITIZERS)
HOST_CC_fast := gcc -O2 -malign-data=abi -Wno-attributes
HOST_CC_fuzz := clang -O1 $(HOST_SANITIZERS) -fsanitize=fuzzer-no-link -mllvm -asan-globals=0
HOST_CC_cov  := clang -O1 -fprofile-instr-generate -fcoverage-mapping

# The kernel's variables go into sections of their own; its mem... and str... functions, which the
# host has as well, get names of their own.
HOST_RENAME := --rename-section .bss=.kernel.bss --rename-section .data=.kernel.data \
    --rename-section .data.rel=.kernel.data --rename-section .data.rel.local=.kernel.data
HOST_REDEFINE := $(foreach f,memcpy memmove memset memcmp strlen strcmp strncmp strchr,\
    --redefine-sym $(f)=kernel_$(f))

# $(call host_objects,BUILD,SOURCES)
host_objects = $(2:%=$(HOST)/$(1)/%.o)

# Static patterns, so that each kind of source has its own rule.
# $(call host_rules,BUILD)
define host_rules
$(call host_objects,$(1),$(HOST_KERNEL)): $(HOST)/$(1)/%.o: % Makefile tests/host/host.mk
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

# $(call host_program,BUILD,NAME,SOURCES,LIBRARIES)
define host_program
$(HOST)/$(1)/$(2): $(call host_objects,$(1),$(HOST_KERNEL) $(HOST_MODEL) $(3)) tests/host/host.ld
	$$(call say,LINK)
	$$(Q)$$(HOST_CC_$(1)) $$(HOST_LDFLAGS) $$(filter %.o,$$^) $(4) -o $$@
endef

$(foreach build,asan fast fuzz cov,$(eval $(call host_rules,$(build))))
$(eval $(call host_program,asan,self_tests,$(HOST_TESTS) tests/host/self_tests.c))
$(foreach build,asan fast,$(eval $(call host_program,$(build),random,kernel/test.c \
    $(addprefix tests/host/,random.c operations.c audit.c))))
