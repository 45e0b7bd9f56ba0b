# SPDX-License-Identifier: MIT
# Programs for user mode, and the media that bring them. Included by the Makefile.
#
# All are static programs for i386, by a packaged C library (tools/setup user): the same binary runs
# on Linux. -O1 and i686 in the tests: what they do to memory is what they say.

USER       := build/user
USER_CC    := i686-linux-gnu-gcc -std=gnu11 -march=i686 -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Werror -static -no-pie -s
# Tests hand out bad pointers on purpose.
TEST_NO_WARNING := $(addprefix -Wno-,nonnull array-bounds stringop-overread stringop-overflow)
USER_PROGRAMS := $(patsubst user/%.c,$(USER)/%,$(wildcard user/*.c))
TEST_PROGRAMS := $(patsubst tests/user/%.c,$(USER)/tests/%,$(wildcard tests/user/*.c))

.PHONY: user test-programs setup-user rootfs

#: make user           the example programs (user/) in build/user/
#: make run INIT=FILE  boot with that static program as process 1; its status N is make's "Error N":
#:                     ARGS="..." its arguments, FILES="..." more files for it, CHECKED=1
#: make rootfs         a small system for the two lines below (busybox): build/root.ext2, build/root.cpio
#: make run ROOT=1     a shell on an ext2 file system on a disk, build/root.ext2, which keeps what is
#:                     written; ROOT=DIRECTORY or ROOT=IMAGE: that one; INIT=/bin/sh of it
#: make run INITRAMFS=1  the same without a disk: files in memory, out of a cpio archive;
#:                     INITRAMFS=DIRECTORY or INITRAMFS=ARCHIVE.cpio[.gz]: that one
#: make run ... SWAP=64  with so many MiB to swap to, on a disk of its own; CMDLINE="overcommit=2": more
#:                     options for the kernel (docs/boot.md); CHECKED=1: the checked kernel

user: $(USER_PROGRAMS)
test-programs: $(TEST_PROGRAMS) $(USER)/tests/bad.made

setup-user:
	@tools/setup user

$(USER_PROGRAMS): $(USER)/%: user/%.c user/user.mk | setup-user
	$(call say,USER)
	$(Q)mkdir -p $(@D) && $(USER_CC) -O2 $< -o $@

$(TEST_PROGRAMS): $(USER)/tests/%: tests/user/%.c tests/user/check.h tests/user/file_place.h tests/host/ext2/promise.h user/user.mk | setup-user
	$(call say,USER)
	$(Q)mkdir -p $(@D) && $(USER_CC) -O1 -D_GNU_SOURCE= $(TEST_NO_WARNING) $< -o $@

# Files that are no good programs, for tests/user/exec_bad_elf.c.
$(USER)/tests/bad.made: tests/user/make/bad_elfs.c tests/user/bad_elfs.h user/user.mk | setup-user
	$(call say,USER)
	$(Q)mkdir -p $(@D)/bad && gcc -std=gnu11 -Wall -Wextra -Werror $< -o $(@D)/make_bad_elfs
	$(Q)$(@D)/make_bad_elfs $(@D)/bad && touch $@

# ---- make run INIT=, make run ROOT=, make run INITRAMFS=, make run SWAP=, CMDLINE=, CHECKED=1 ----
# An ISO of its own, since the other one is the same on every machine. The entry of the menu is the
# plain kernel's or the checked one's.
define run_iso
$(call say,ISO)
$(Q)COMMAND_LINE="$(strip $(1) $(CMDLINE))" ENTRY=$(if $(filter 1,$(CHECKED)),2,0) \
    tools/iso $@ $(KERNELS) iso/grub.cfg $(2)
endef

ifneq ($(and $(ROOT)$(INITRAMFS),$(ARGS)$(FILES)),)
$(error ARGS= and FILES= are for a program alone, INIT=FILE: what a root has is on it, and its program has no arguments)
endif

ifdef SWAP
# The second disk, new each time: hdb.
SWAP_IMAGE := $(OUT)/swap.img
export SWAP_IMAGE
override CMDLINE += swap=hdb
$(RUN_ISO): $(SWAP_IMAGE)
$(SWAP_IMAGE): FORCE
	$(call say,SWAP)
	$(Q)rm -f $@ && truncate -s $(SWAP)M $@ && chmod 600 $@ && PATH="$$PATH:/sbin" mkswap -q $@
endif

ifdef ROOT
# 1: the small system, made once, so that what is written there stays; a directory: its image; or an image.
ifeq ($(ROOT),1)
ROOT_IMAGE := $(OUT)/root.ext2
else ifneq ($(wildcard $(ROOT)/.),)
ROOT_IMAGE := $(OUT)/root-of-$(notdir $(patsubst %/,%,$(ROOT))).ext2
$(ROOT_IMAGE): FORCE
	$(call say,ROOT)
	$(Q)mkdir -p $(@D) && tools/rootfs $@ $(ROOT)
else
ROOT_IMAGE := $(ROOT)
endif
export ROOT_IMAGE

$(RUN_ISO): $(KERNELS) iso/grub.cfg tools/iso $(ROOT_IMAGE) FORCE
	$(call run_iso,root=hda init=$(or $(INIT),/bin/sh))
else ifdef INITRAMFS
# 1: the small system; a directory, packed each time; or an archive, which GRUB unpacks if it is packed. The program
# is /init, if there is one, as it is for Linux.
ifeq ($(INITRAMFS),1)
ARCHIVE := $(OUT)/root.cpio
else ifneq ($(wildcard $(INITRAMFS)/.),)
ARCHIVE := $(OUT)/initramfs.cpio
$(ARCHIVE): FORCE
	$(call say,ROOT)
	$(Q)mkdir -p $(@D) && tools/rootfs $@ $(INITRAMFS)
else
ARCHIVE := $(INITRAMFS)
endif
has_init = $(shell { gzip -dc 2> /dev/null < $(ARCHIVE) || cat $(ARCHIVE); } | cpio --quiet -it 2> /dev/null | grep -x -e init -e ./init -e /init)

$(RUN_ISO): $(KERNELS) iso/grub.cfg tools/iso $(ARCHIVE) FORCE
	$(call run_iso,initramfs=initramfs init=$(or $(INIT),$(if $(has_init),/init,/bin/sh)),"+$(ARCHIVE)=initramfs")
else ifdef INIT
$(RUN_ISO): $(KERNELS) iso/grub.cfg tools/iso $(INIT) $(FILES) FORCE
	$(call run_iso,init=$(notdir $(INIT)),"$(INIT)=$(notdir $(INIT)) $(ARGS)" \
	    $(foreach file,$(FILES),$(file)=$(notdir $(file))))
else ifneq ($(RUN_ISO),$(ISO))
$(RUN_ISO): $(KERNELS) iso/grub.cfg tools/iso FORCE
	$(call run_iso)
endif

# The small systems, made once: what is written to the disk stays.
rootfs: $(OUT)/root.ext2 $(OUT)/root.cpio
$(OUT)/root.ext2 $(OUT)/root.cpio: | tools/rootfs setup
	$(call say,ROOT)
	$(Q)mkdir -p $(@D) && tools/rootfs $@
