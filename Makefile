# Bulkhead. Plain `make` builds build/release/bulkhead; see README.md for `make demo`, `make test`.
#
#   make [BUILD=release|debug|asan]   build/<BUILD>/bulkhead, bulkheadd and bulkhead-logger
#   make check                        everything that needs no root
#   make check-system                 real namespaces and packets (root)
#   make test                         installs what tests need, builds, runs everything (root)
#   make demo                         a small shop in throw-away namespaces (root)
#   make bench                        figures beside their baseline, JSON lines (root)
#   make lint                         format, static analysis, the layer table
#   make fuzz                         libFuzzer targets in build/fuzz (clang)

BUILD ?= release
PREFIX ?= /usr/local
O     := build/$(BUILD)
CC    ?= cc

VERSION := 0.1.0
PKGS    := libnftnl libmnl libnetfilter_log jansson yaml-0.1 libcurl libsystemd nettle hogweed \
	   libmicrohttpd sqlite3 libpcap libcap libseccomp

# Where SARIF says that what a finding means is written; a distribution may have it on its site.
DOCS_URI ?= file://$(PREFIX)/share/doc/bulkhead

STD      := -std=gnu11 -D_GNU_SOURCE -Iinclude -DBULKHEAD_VERSION='"$(VERSION)"' \
	    -DBULKHEAD_DOCS_URI='"$(DOCS_URI)"'
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	    -Wwrite-strings -Wvla -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LHARDEN  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
REPRO    := -ffile-prefix-map=$(CURDIR)=. -fno-ident

CFLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
CFLAGS_debug   := -Og -g3 $(HARDEN)
CFLAGS_asan    := -O1 -g3 -fno-omit-frame-pointer -fsanitize=address,undefined \
		  -fno-sanitize-recover=undefined
LDFLAGS_release := $(LHARDEN)
LDFLAGS_debug   := $(LHARDEN)
LDFLAGS_asan    := -fsanitize=address,undefined
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
		  -fno-sanitize-recover=undefined
LDFLAGS_fuzz   := -fsanitize=fuzzer,address,undefined

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ALL_CFLAGS  = $(STD) $(WARN) $(REPRO) $(CFLAGS_$(BUILD)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_$(BUILD)) $(LDFLAGS)

# --- the house: which rooms a room may lean on (docs/architecture.md; tests/layers checks it) ---
ROOMS := base model policy import report compile advise sys nft runtime flow ctl store outputs enforce probe launch oci cni logger daemon cli
NEEDS_base    :=
NEEDS_model   := base
NEEDS_policy  := model base
NEEDS_import  := model base
NEEDS_report  := model base
NEEDS_compile := model base
NEEDS_advise  := policy compile model base
NEEDS_sys     := base
NEEDS_nft     := sys model base
NEEDS_runtime := sys model base
NEEDS_flow    := sys model base
NEEDS_ctl     := sys model base
NEEDS_store   := sys model base
NEEDS_outputs := sys model base
NEEDS_logger  := outputs store flow nft sys model base
NEEDS_enforce := policy compile nft runtime flow sys model base
NEEDS_launch  := ctl policy nft runtime sys model base
NEEDS_cni     := launch ctl policy nft runtime sys model base
NEEDS_oci     := launch ctl policy nft runtime sys model base
NEEDS_probe   := enforce policy compile nft runtime flow sys model base
NEEDS_daemon  := logger enforce outputs store ctl policy compile nft runtime flow sys model base
NEEDS_cli     := probe enforce advise outputs store ctl import report policy compile nft runtime flow sys model base

src_of  = $(sort $(wildcard src/$(1)/*.c))
objs_of = $(patsubst %.c,$(O)/%.o,$(call src_of,$(1)))
# Without main(): a test has its own. Of the logger others have the protocol, which is a header.
room_objs = $(filter-out %main.o,$(foreach r,$(1) $(filter-out logger,$(NEEDS_$(1))),$(call objs_of,$(r))))

LIB_OBJS    := $(foreach r,$(filter-out cli daemon logger oci cni,$(ROOMS)),$(call objs_of,$(r)))
CLI_OBJS    := $(call objs_of,cli)
DAEMON_OBJS := $(call objs_of,daemon)
OCI_OBJS    := $(call objs_of,oci)
LOGGER_OBJS := $(call objs_of,logger)
RUNC_OBJS   := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard src/oci/runc_*.c)))
CNI_OBJS    := $(call objs_of,cni)

.PHONY: all
all: $(O)/bulkhead $(O)/bulkheadd $(O)/bulkhead-logger $(O)/bulkhead-oci-hook $(O)/bulkhead-runc \
     $(O)/bulkhead-cni

$(O)/bulkheadd: $(DAEMON_OBJS) $(LIB_OBJS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# No room that writes tables or asks runtimes: it could not anyway.
$(O)/bulkhead-logger: $(LOGGER_OBJS) $(foreach r,$(NEEDS_logger),$(call objs_of,$(r)))
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# What is started with each container: of the rooms no more than it calls, so that it starts fast.
$(O)/launch.a: $(foreach r,launch $(NEEDS_launch),$(call objs_of,$(r)))
	@echo "  AR    $@"
	@rm -f $@ && ar -rcs $@ $^

STARTERS := bulkhead-oci-hook bulkhead-runc bulkhead-cni
$(O)/bulkhead-oci-hook: $(filter-out $(RUNC_OBJS),$(OCI_OBJS))
$(O)/bulkhead-runc: $(RUNC_OBJS)
$(O)/bulkhead-cni: $(CNI_OBJS)
$(STARTERS:%=$(O)/%): $(O)/launch.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--as-needed -o $@ $(filter %.o,$^) $(O)/launch.a $(PKG_LIBS)

$(O)/bulkhead: $(CLI_OBJS) $(LIB_OBJS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(O)/%.o: %.c
	@mkdir -p $(dir $@)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- unit tests: tests/unit/<room>/test_*.c links that room and what it may lean on, no more ---
UNIT_SRCS := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BINS := $(patsubst %.c,$(O)/%,$(UNIT_SRCS))

define unit_rule
$(O)/tests/unit/$(1)/test_%: $(O)/tests/unit/$(1)/test_%.o $(call room_objs,$(1))
	@echo "  LINK  $$@"
	@$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) -lcmocka
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))

.PHONY: units
units: $(UNIT_BINS)

# --- fuzz targets: tests/fuzz/fuzz_*.c; without libFuzzer they replay the files they are given ---
FUZZ_SRCS   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_REPLAY := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(FUZZ_SRCS))

$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(LIB_OBJS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# What the controller does with what the logger says.
FUZZ_DAEMON := $(filter-out %/main.o,$(DAEMON_OBJS))
$(O)/tests/fuzz/fuzz_logger_serve $(O)/fuzz_logger_serve: $(FUZZ_DAEMON)
# What a runtime says to the CNI plugin, which no other program is linked with.
$(O)/tests/fuzz/fuzz_cni $(O)/fuzz_cni: $(filter-out %main.o,$(CNI_OBJS))

$(O)/tests/fuzz/fuzz_oci $(O)/fuzz_oci: $(filter-out %main.o,$(OCI_OBJS))
$(O)/tests/fuzz/fuzz_runc_config $(O)/fuzz_runc_config: $(filter-out %main.o,$(OCI_OBJS))

.PHONY: fuzz fuzz-replay
fuzz-replay: $(FUZZ_REPLAY)
fuzz:
	@$(MAKE) --no-print-directory BUILD=fuzz CC=clang fuzz-bins
ifeq ($(BUILD),fuzz)
.PHONY: fuzz-bins
fuzz-bins: $(patsubst tests/fuzz/fuzz_%.c,$(O)/fuzz_%,$(FUZZ_SRCS))
$(O)/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(LIB_OBJS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
endif

# --- programs that the system tests and the benchmark need ---
AID_SRCS := $(filter-out tests/system/first.c,$(sort $(wildcard tests/system/*.c tests/bench/*.c)))
AID_BINS := $(patsubst %.c,$(O)/%,$(AID_SRCS))

$(AID_BINS): $(O)/%: $(O)/%.o $(LIB_OBJS)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -Wl,--as-needed -lcmocka

# What a container runs: by itself, without a C library.
$(O)/tests/system/first: tests/system/first.c
	@mkdir -p $(dir $@)
	@echo "  LINK  $@"
	@$(CC) -std=gnu11 $(WARN) -O2 -g -ffreestanding -fno-builtin -fno-stack-protector -fno-pie \
		-nostdlib -static -no-pie -o $@ $<

# Loaded into a program that runs: nothing of ours is linked into it.
$(O)/tests/bench/record.so: tests/bench/preload/record.c tests/bench/preload/record.h
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

$(O)/tests/system/clock.so: tests/system/preload/clock.c
	@mkdir -p $(dir $@)
	@echo "  LINK  $@"
	@$(CC) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

.PHONY: aids
aids: $(AID_BINS) $(O)/tests/system/first $(O)/tests/bench/record.so $(O)/tests/system/clock.so

# --- the commands people use ---
.PHONY: check check-system test demo bench lint clean install
check: all units fuzz-replay
	@O=$(O) tests/run check
check-system: all aids
	@O=$(O) tests/run system
test:
	@tests/install-deps test
	@$(MAKE) -j$$(nproc) --no-print-directory all units aids
	@tests/run all
demo:
	@tests/install-deps demo
	@$(MAKE) --no-print-directory all
	@examples/demo/run
bench:
	@tests/install-deps test >&2
	@$(MAKE) --no-print-directory all aids >&2
	@tests/bench/run
lint:
	@tests/lint
clean:
	rm -rf build

install: all
	install -D -m 0755 $(O)/bulkhead $(DESTDIR)$(PREFIX)/sbin/bulkhead
	install -D -m 0755 $(O)/bulkheadd $(DESTDIR)$(PREFIX)/sbin/bulkheadd
	install -D -m 0755 $(O)/bulkhead-oci-hook $(DESTDIR)$(PREFIX)/sbin/bulkhead-oci-hook
	install -D -m 0755 $(O)/bulkhead-logger $(DESTDIR)$(PREFIX)/sbin/bulkhead-logger
	install -D -m 0755 $(O)/bulkhead-runc $(DESTDIR)$(PREFIX)/sbin/bulkhead-runc
	install -D -m 0755 $(O)/bulkhead-cni $(DESTDIR)$(PREFIX)/lib/cni/bulkhead-cni
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/bulkhead docs/lint.md docs/policy-format.md

-include $(shell find build -name '*.d' 2>/dev/null)
