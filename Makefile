# SPDX-License-Identifier: MIT
# Droste: `make run`, `make test`; `make help` for the rest.
#
# Sources are listed in layer order: a layer may use those above it in this list, never those below.

SRC_0 := boot/boot.asm boot/early.c boot/boot_info.c \
    arch/i386/stubs.asm arch/i386/probe.asm \
    arch/i386/user_copy.asm arch/i386/fpu.c arch/i386/pit.c arch/i386/rtc.c arch/i386/cpu.c \
    arch/i386/gdt.c arch/i386/trap.c \
    arch/i386/fault.c arch/i386/pic.c arch/i386/double_fault.c arch/i386/serial.c \
    arch/i386/vga.c arch/i386/framebuffer.c arch/i386/font.asm arch/i386/keyboard.c \
    kernel/string.c kernel/format.c kernel/printk.c kernel/screen.c kernel/channel.c kernel/key_ring.c kernel/console.c \
    kernel/options.c kernel/memmap.c kernel/kerr.c kernel/machine.c kernel/panic.c kernel/symbols.c \
    kernel/rbtree.c kernel/test.c kernel/main.c
SRC_1 := mm/frame.c mm/frame_map.c
SRC_2 := arch/i386/paging.c arch/i386/paging_init.c arch/i386/directory.c arch/i386/ledger.c \
    arch/i386/alternate.c arch/i386/framebuffer_init.c
SRC_3 := mm/zero.c mm/cow.c mm/cow_range.c mm/cow_map.c mm/cow_lose.c mm/cow_swap.c mm/cow_table.c
SRC_4 := mm/vma_tree.c mm/vma_share.c mm/vma_nodes.c mm/kernel_pages.c mm/object_pages.c mm/object.c mm/object_out.c mm/object_shown.c mm/vma.c \
    mm/vma_change.c mm/vma_end.c mm/vma_fault.c mm/space.c mm/space_tables.c mm/space_fold.c mm/audit.c mm/audit_entries.c
SRC_5 := mm/heap.c mm/heap_check.c mm/heap_kernel.c
SRC_6 := device/block.c device/ramdisk.c device/pci.c device/ata.c device/ata_identify.c \
    device/ata_pio.c device/ata_dma.c device/partition_table.c device/partitions.c

SRC_7 := store/requests.c store/cache.c store/writer.c store/reclaim.c store/device.c store/swap.c \
    store/swap_area.c store/swap_tables.c store/swap_bad.c store/swap_ram.c store/swap_ram_device.c store/page_compress.c
SRC_8 := process/process.c process/part.c process/client.c process/turns.c process/schedule.c \
    process/repeat.c process/process_calls.c process/system_call.c process/wait_calls.c process/timer.c process/user.c \
    process/exceptions.c \
    process/signal.c process/signal_info.c process/signal_queue.c process/signal_frame.c process/signal_calls.c process/alarm.c \
    process/fpu.c process/tls.c process/time_calls.c process/futex.c process/system_calls_misc.c \
    process/random.c process/memory.c process/commit.c process/limits.c process/victim.c \
    process/events.c process/audit.c
SRC_9 := file/inode.c file/names.c file/mount.c file/path.c file/file.c file/mapping.c file/transfer.c \
    file/regular.c file/tmpfs.c file/tmpfs_names.c file/devices.c file/disks.c file/proc.c file/proc_text.c file/proc_process.c file/proc_memory.c file/proc_mounts.c file/proc_system.c file/mounts.c file/root.c file/cpio.c file/initramfs.c file/modules.c \
    file/pipe.c file/terminal.c file/terminal_calls.c file/calls_open.c file/calls_names.c \
    file/calls_change.c file/calls_transfer.c file/calls_send.c file/calls_status.c \
    file/calls_directory.c file/calls_mount.c file/calls_flush.c file/calls_swap.c file/calls_lock.c file/calls_poll.c
SRC_EXT2 := file/ext2_mount.c file/ext2_super.c file/ext2_order.c file/ext2_blocks.c file/ext2_map.c \
    file/ext2_inodes.c file/ext2_directory.c file/ext2_names.c file/ext2_rename.c file/ext2_files.c
SRC_9 += $(SRC_EXT2)
SRC_10 := program/elf.c program/exec.c program/exec_texts.c program/memory_calls.c \
    program/memory_map.c program/memory_unmap.c program/memory_heap.c program/memory_protect.c \
    program/memory_remap.c program/memory_advice.c program/memory_pageout.c program/memory_peer.c program/init.c
SRC_11 := prompt/line.c prompt/prompt.c prompt/commands_address.c prompt/commands_walk.c \
    prompt/commands_memory.c prompt/commands_promise.c prompt/commands_system.c \
    prompt/commands_run.c prompt/commands_process.c prompt/commands_space.c \
    prompt/commands_disk.c prompt/commands_cache.c prompt/commands_watch.c prompt/attention.c

# Self-tests and measurements belong to the layer that they test and are linked with it.
unit_tests = $(wildcard $(foreach unit,$(1),tests/kernel/$(unit)_test.c tests/kernel/$(unit)_bench.c))
TESTS_0 := $(call unit_tests,boot_info memmap string format options console framebuffer symbols \
    rbtree rtc fault)
TESTS_1 := tests/kernel/frame_testing.c $(call unit_tests,frame frame_random frame_map)
TESTS_2 := $(call unit_tests,paging paging_large paging_boot paging_device directory tlb ledger \
    protection double_fault alternate)
TESTS_3 := tests/kernel/vm_testing.c tests/kernel/cow_testing.c \
    $(call unit_tests,zero cow_share cow_range cow_random cow_shortage cow_kernel)
TESTS_4 := tests/kernel/vma_testing.c tests/kernel/test_pager.c tests/kernel/audit_testing.c \
    $(call unit_tests,vma vma_room vma_touch vma_random vma_change vma_share object object_shown pager space fork \
    audit audit_entries)
TESTS_5 := $(call unit_tests,heap shortage)
TESTS_6 := tests/kernel/block_testing.c $(call unit_tests,block ramdisk partitions disk disk_trouble)
TESTS_7 := tests/kernel/store_testing.c $(call unit_tests,cache swap swap_table swap_object swap_errors swap_ram page_compress space_fold)
TESTS_8 := $(call unit_tests,process schedule alarm user_copy must_wait)
TESTS_9 := $(call unit_tests,file inode proc tmpfs pipe terminal)
TESTS_10 := tests/kernel/call_runner.c $(call unit_tests,commit calls_absent)
TESTS_11 := $(call unit_tests,line prompt commands commands_process)

# What a kernel of layers 0..N alone is made of; the whole kernel is the highest one.
LAYERS := 0 1 2 3 4 5 6 7 8 9 10 11
sources_so_far :=
$(foreach n,$(LAYERS),$(eval sources_so_far += $(SRC_$(n)) $(TESTS_$(n)))\
    $(eval KERNEL_$(n) := $(sources_so_far)))

# Tools. A cross compiler of one's own is preferred, Debian's is as good; LLVM=1 builds with clang.
export STRIP = $(CROSS)strip
export NM    = $(CROSS)nm
CROSS  := $(if $(shell command -v i686-elf-gcc),i686-elf-,i686-linux-gnu-)
ifdef LLVM
OUT    := build/llvm
CC     := clang --target=i686-elf -mstack-alignment=4
LD     := ld.lld
else
OUT    := build
# Loops and what is jumped to are not aligned: that would make the text a tenth longer.
CC     := $(CROSS)gcc -mpreferred-stack-boundary=2 -falign-loops=1 -falign-jumps=1
LD     := $(CROSS)ld
endif
# i686-elf-gcc calls 32-bit integers long, which no printk format agrees with.
ifeq ($(CROSS),i686-elf-)
CC     += -U__UINT32_TYPE__ -D__UINT32_TYPE__='unsigned int' -U__INT32_TYPE__ -D__INT32_TYPE__=int \
    -U__UINT32_MAX__ -D__UINT32_MAX__=0xffffffffU -U__INT32_MAX__ -D__INT32_MAX__=0x7fffffff
endif

# The addresses that assembler and linker must know, from their one home.
layout  = $(shell awk '$$2 == "$(1)" { sub(/u$$/, "", $$3); print $$3 }' include/mm/memlayout.h)
KERNEL_BASE         := $(call layout,KERNEL_BASE)
KERNEL_LOAD_ADDRESS := $(call layout,KERNEL_LOAD_ADDRESS)

# No libgcc: arguments go in registers here (-mregparm=3), and its helpers look for theirs on the
# stack; a 64-bit division does not link.
# Frame pointers serve the backtrace. A leaf function does without: a fault in one hides the name of
# its caller, and of nobody else.
CFLAGS := -std=gnu11 -ffreestanding -O2 -g -march=i486 -mgeneral-regs-only -fno-pie -fno-pic \
    -fno-omit-frame-pointer -momit-leaf-frame-pointer -fno-asynchronous-unwind-tables \
    -fno-stack-protector -fcf-protection=none -freg-struct-return -mregparm=3 -fno-common \
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror \
    -Iinclude -I. -MMD -MP
ASFLAGS := -f elf32 -g -F dwarf -Werror -DKERNEL_BASE=$(KERNEL_BASE) \
    -DKERNEL_LOAD_ADDRESS=$(KERNEL_LOAD_ADDRESS) -i $(OUT)/
LDFLAGS := -m elf_i386 -nostdlib -z max-page-size=4096 -z noexecstack -T linker.ld \
    --defsym=KERNEL_BASE=$(KERNEL_BASE) --defsym=KERNEL_LOAD_ADDRESS=$(KERNEL_LOAD_ADDRESS)

# Most of the image are self-tests, which may take their time.
$(OUT)/%_test.c.o $(OUT)/%_testing.c.o: CFLAGS += -Os
# The checked kernel has to load in 4 MiB, beside what GRUB keeps: what no test waits for takes less room.
$(OUT)/checked/prompt/%.o $(OUT)/checked/program/%.o $(OUT)/checked/file/%.o: CFLAGS += -Os

# Three builds of the same sources; `unpaged` shows that layer 1 works before paging is on.
FLAGS_plain   := -DCHECKED=0
FLAGS_checked := -DCHECKED=1
FLAGS_unpaged := -DCHECKED=1 -DUNPAGED=1

# Text on a framebuffer: any 8x16 font in PSF version 1.
FONT ?= /usr/share/consolefonts/Lat15-VGA16.psf.gz

CHECKED ?= 0
KERNEL  := $(OUT)/droste$(if $(filter 1,$(CHECKED)),-checked).elf
KERNELS := $(OUT)/droste.elf $(OUT)/droste-checked.elf
ISO     := $(OUT)/droste.iso
RUN_ISO := $(if $(INIT)$(ROOT)$(INITRAMFS)$(SWAP)$(CMDLINE)$(filter 1,$(CHECKED)),$(OUT)/init.iso,$(ISO))
FLOPPY  := $(OUT)/droste$(if $(filter 1,$(CHECKED)),-checked).img
LAYER_KERNELS := $(foreach n,$(filter-out 0 11,$(LAYERS)),$(OUT)/layer-$(n).elf)
TEST_KERNELS  := $(LAYER_KERNELS) $(OUT)/layer-1-unpaged.elf $(OUT)/wrong-magic.elf

Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-5s %s\n') $(1) $@

.PHONY: all help run run-window debug iso floppy test bench bench-compress matrix cuts hostile mutants exercises layers sources clean \
    setup setup-test format lint
.DELETE_ON_ERROR:

all: $(KERNELS)

help:
	@sed -n 's/^#: //p' Makefile user/user.mk tests/host/host.mk

#: make run            boot the ISO in QEMU, talk to it in this terminal (input may be piped in)
#: make test           every check but the long ones; ends with `N passed, N failed`
#: make run-window     the same as run, in QEMU's window
#: make debug          wait for GDB with the kernel's symbols (CHECKED=1: the checked kernel)
#: make matrix         the self-tests on every machine, firmware and emulator (ONLY=uefi: those rows)
#: make bench          instructions counted: the kernel's rows beside their floors, programs' by aims
#: make bench-linux    the same program on Debian's kernel for i686 (fetched), side by side
#: make bench-store    what files cost, in instructions and requests, beside Linux's figures and the aims;
#:                     ROWS=ext2, ext2-64, tmpfs: only those; STRETCH=file_msync: where its instructions go
#: make bench-compress what the compressor of pages makes of real programs' pages, beside LZ4
#: make hostile        the long runs of hostile and random programs (half an hour)
#: make cuts           the power goes behind each block that a boot writes to its ext2 (a quarter of an hour)
#: make exercises      every "Change this and see" of docs/, tried (a quarter of an hour)
#: make mutants        leave out each TLB invalidation in turn, and see it caught (half an hour)
#: make iso            build/droste.iso, for CD and USB stick
#: make floppy         build/droste.img, boots at once without a menu (CMDLINE="test", CHECKED=1)
#: make layers         the kernels of layers 0..N alone that `make test` boots
#: make format         clang-format over every source
#: make lint           cppcheck, clang-tidy with its analyzer, sparse; addresses, mistakes that must not compile
#: make clean          remove build/
#: Options: V=1 (show commands), LLVM=1 (clang and ld.lld), MEM=64 (MiB) and CPU=qemu32 for QEMU

run: $(RUN_ISO)
	$(Q)tools/run $(if $(INIT)$(ROOT)$(INITRAMFS),program,terminal) $(RUN_ISO)

run-window: $(RUN_ISO)
	$(Q)tools/run window $(RUN_ISO)

debug: $(FLOPPY)
	$(Q)tools/run debug $(FLOPPY) $(KERNEL)

bench: $(KERNELS) $(OUT)/user/bench
	$(Q)tools/bench $(OUT)/droste.elf $(OUT)
	$(Q)tools/bench-user $(OUT)/droste.elf $(OUT)/user/bench $(OUT)

bench-compress: $(OUT)/droste.elf
	$(Q)CROSS=$(CROSS) tools/bench-compress $(OUT)

test: setup-test
	$(Q)tests/run

matrix: setup-test $(KERNELS)
	$(Q)tests/matrix "$(ONLY)"

cuts: setup-test $(KERNELS)
	$(Q)tests/cuts "$(ONLY)"

hostile: setup-test $(KERNELS)
	$(Q)tests/hostile "$(ONLY)"

exercises: setup-test $(KERNELS)
	$(Q)tests/exercises/run "$(ONLY)"

mutants: setup-test $(OUT)/droste-checked.elf
	$(Q)tools/mutants $(OUT)/droste-checked.elf $(OUT)
	$(Q)$(MAKE) --no-print-directory host-programs
	$(Q)tests/host/mutants

iso: $(ISO)
floppy: $(FLOPPY)
layers: $(TEST_KERNELS)

$(ISO): $(KERNELS) iso/grub.cfg tools/iso
	$(call say,ISO)
	$(Q)tools/iso $@ $(KERNELS)

$(FLOPPY): $(KERNEL) tools/floppy FORCE
	$(call say,IMG)
	$(Q)tools/floppy $(KERNEL) $@ "$(CMDLINE)"

print-%:
	@echo $($*)

# "LAYER FILE" lines, for the layer proofs.
sources:
	@$(foreach n,$(LAYERS),$(foreach file,$(SRC_$(n)) $(TESTS_$(n)),echo $(n) $(file);))

setup:
	@tools/setup run

setup-test:
	@tools/setup test

lint: setup-test
	$(Q)CROSS=$(CROSS) tools/lint cppcheck clang-tidy sparse conversions
	$(Q)tools/check-static

format:
	$(Q)clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

clean:
	rm -rf build

FORCE:

$(OUT)/font.bin: tools/font | setup
	$(Q)mkdir -p $(@D) && tools/font $(FONT) $@

# $(call variant_rules,VARIANT): how its objects are made.
define variant_rules
$(OUT)/$(1)/%.c.o: %.c Makefile | setup
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(CFLAGS) $$(FLAGS_$(1)) -c $$< -o $$@

$(OUT)/$(1)/%.asm.o: %.asm Makefile include/mm/memlayout.h $(OUT)/font.bin | setup
	$$(call say,ASM)
	$$(Q)mkdir -p $$(@D) && nasm $$(ASFLAGS) $$(FLAGS_$(1)) -MD $$(@:.o=.d) $$< -o $$@
endef

# $(call kernel_rules,NAME,VARIANT,SOURCES): a kernel linked from them, with its symbol table.
define kernel_rules
$(OUT)/$(1).elf: $(3:%=$(OUT)/$(2)/%.o) linker.ld tools/link
	$$(call say,LINK)
	$$(Q)tools/link $$@ "$$(LD) $$(LDFLAGS)" $$(filter %.o,$$^)
endef

$(foreach variant,plain checked unpaged,$(eval $(call variant_rules,$(variant))))
$(eval $(call kernel_rules,droste,plain,$(KERNEL_11)))
# A checked kernel measures nothing: its ledger would be in every figure. And it has to load in 4 MiB.
$(eval $(call kernel_rules,droste-checked,checked,$(filter-out %_bench.c,$(KERNEL_11))))
$(foreach n,$(filter-out 0 11,$(LAYERS)),$(eval $(call kernel_rules,layer-$(n),checked,$(filter-out %_bench.c,$(KERNEL_$(n))))))
$(eval $(call kernel_rules,layer-1-unpaged,unpaged,$(KERNEL_1)))
$(eval $(call kernel_rules,wrong-magic,plain,$(KERNEL_0) tests/boot/multiboot1.asm))

-include $(wildcard $(foreach v,plain checked unpaged,$(OUT)/$(v)/*/*.d $(OUT)/$(v)/*/*/*.d))

include tests/host/host.mk
include user/user.mk
include user/bench/bench.mk
include user/storebench/storebench.mk
