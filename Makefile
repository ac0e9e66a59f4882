# tidepool. `make help` lists what there is to do.
#
# No tool runs while this file is read: `make deps` may not have installed it
# yet. What has to be asked of a tool is asked once, when it is needed.

# ---------------------------------------------------------------- settings

PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
BUILD ?= build
# Sanitizers for a build of its own: address, undefined, thread.
SANITIZE ?=
STRESS_SECONDS ?= 10
# A source tree of Lua, for check-assert.
LUA_SRC ?=
# The folder that the demos read; empty for their own choice.
DIR ?=

LUA ?= $(call once,LUA,scripts/find-lua.sh program)
LUA_INCDIR ?= $(call once,LUA_INCDIR,scripts/find-lua.sh include)
LUA_LIBS ?= $(call once,LUA_LIBS,scripts/find-lua.sh libs)
LUA_VERSION ?= $(call once,LUA_VERSION,LUA_INCDIR='$(LUA_INCDIR)' \
	scripts/find-lua.sh version)
CRYPTO_LIBS ?= $(call once,CRYPTO_LIBS,pkg-config --cflags --libs libcrypto \
	2>/dev/null || echo -lcrypto)
ZLIB_LIBS ?= $(call once,ZLIB_LIBS,pkg-config --cflags --libs zlib \
	2>/dev/null || echo -lz)
BUSTED ?= busted
LUACHECK ?= luacheck
CLANG_FORMAT ?= clang-format
VALGRIND ?= valgrind
INSTALL ?= install

LUADIR = $(DESTDIR)$(PREFIX)/share/lua/$(LUA_VERSION)
LIBDIR = $(DESTDIR)$(PREFIX)/lib/lua/$(LUA_VERSION)

# once NAME,COMMAND: what the command prints, run on the first use of NAME.
once = $(eval $1 := $$(shell $2))$($1)

# ------------------------------------------------------------------- flags

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
OWN_CFLAGS = -std=c11 $(WARNINGS) -fPIC -pthread
ifneq ($(SANITIZE),)
OWN_CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -g
endif
ifeq ($(OS)$(shell uname),Darwin)
SHARED = -bundle -undefined dynamic_lookup
else
SHARED = -shared
endif

COMPILE = $(CC) $(OWN_CFLAGS) $(DEFS) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK = $(CC) $(OWN_CFLAGS) $(CFLAGS) $(LDFLAGS)
# The core and the API are compiled where lua.h cannot be found.
LUA_H = -I$(or $(LUA_INCDIR),$(error no Lua 5.4 headers; try 'make deps', \
	or set LUA_INCDIR))

# ----------------------------------------------------------------- sources

objects = $(patsubst %.c,$(BUILD)/%.o,$1)

CORE_OBJECTS = $(call objects,$(wildcard src/core/*.c src/api/*.c))
LUA_OBJECTS = $(call objects,$(wildcard src/lua/*.c))
MODULE = $(BUILD)/tidepool/core.so

EXAMPLES = $(patsubst examples/%/,$(BUILD)/examples/%.so,\
	$(sort $(dir $(wildcard examples/*/*.c))))
CORE_TESTS = $(patsubst tests/core/%_test.c,$(BUILD)/tests/core/%,\
	$(wildcard tests/core/*_test.c))
CORE_HELPERS = $(call objects,$(filter-out %_test.c,$(wildcard tests/core/*.c)))
# tests/binding/NAME_test.c includes src/lua/NAME.c.
BINDING_TESTS = $(patsubst tests/binding/%_test.c,$(BUILD)/tests/binding/%,\
	$(wildcard tests/binding/*_test.c))
# tests/modules/NAME.c and NAME_*.c make one module.
TEST_MODULES = $(patsubst tests/modules/%.c,$(BUILD)/tests/%.so,\
	$(foreach f,$(wildcard tests/modules/*.c),\
	$(if $(findstring _,$(notdir $f)),,$f)))
EXIT_TESTS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/exit/*.c))
OOM_OBJECTS = $(call objects,$(wildcard tests/oom/*.c))
STRESS_OBJECTS = $(call objects,$(wildcard tests/stress/*.c))
OOM = $(if $(OOM_OBJECTS),$(BUILD)/tests/oom/oom)
STRESS = $(if $(STRESS_OBJECTS),$(BUILD)/tests/stress/stress)
RUNNER = $(BUILD)/tests/lua
BENCH_MODULES = $(patsubst %.c,$(BUILD)/%.so,$(wildcard bench/*mod.c))
BENCHES = $(patsubst %.c,$(BUILD)/%,\
	$(filter-out %mod.c,$(wildcard bench/*.c))) $(BENCH_MODULES)

# `make -j deps test`: what is built waits for what is installed.
FIRST = $(filter deps deps-check,$(MAKECMDGOALS))

Q = $(if $(V),,@)
say = @printf '  %-5s %s\n' $1 $(if $2,$2,$@)

# ----------------------------------------------------------------- targets

.DEFAULT_GOAL := all
.PRECIOUS: $(BUILD)/%.o
.DELETE_ON_ERROR:

.PHONY: all
all: $(MODULE) ## build the module (the default)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / \
	  { printf "  %-16s %s\n", $$1, $$2 }' Makefile
	@echo 'Set as you like: CC CFLAGS LDFLAGS PREFIX DESTDIR LUA LUA_INCDIR' \
	  'BUILD SANITIZE V=1'

.PHONY: deps deps-check
deps: ## install what building, tests and bench need, if it is missing
	@CC='$(CC)' scripts/deps.sh build test bench
deps-check: ## the same for the sanitizer, valgrind and LuaRocks checks
	@CC='$(CC)' scripts/deps.sh build test bench check

.PHONY: examples tests benches
examples: $(EXAMPLES) ## build the example modules
tests: all $(EXAMPLES) $(CORE_TESTS) $(BINDING_TESTS) $(TEST_MODULES) $(EXIT_TESTS) $(STRESS) \
	$(RUNNER) ## build every test program, run none
benches: all $(TEST_MODULES) $(BENCHES)

.PHONY: demo demo-words
demo: all examples ## checksums of a folder, as an example: DIR=/etc
	@$(RUN) $(LUA) examples/checksum.lua $(if $(DIR),'$(DIR)')
demo-words: all examples ## the words of a folder of texts: DIR=~/notes
	@$(RUN) $(LUA) examples/wordcount.lua $(if $(DIR),'$(DIR)')

.PHONY: bench bench-count
bench: benches ## measure, beside lua-luv and plain C
	@$(RUN) $(LUA) bench/run.lua
COUNTED = $(BUILD)/bench/session $(BUILD)/bench/floormod.so
bench-count: all $(COUNTED) ## count instructions; COUNTS=update keeps them
	@$(RUN) env CFLAGS='$(CFLAGS)' VALGRIND='$(VALGRIND)' COUNTS='$(COUNTS)' \
	  $(LUA) bench/count.lua '$(BUILD)'

.PHONY: install uninstall
install: all ## install under PREFIX (and DESTDIR)
	$(INSTALL) -d '$(LUADIR)/tidepool/loop' '$(LIBDIR)/tidepool'
	$(INSTALL) -m 644 $(wildcard lua/tidepool/*.lua) '$(LUADIR)/tidepool'
	$(INSTALL) -m 644 $(wildcard lua/tidepool/loop/*.lua) \
	  '$(LUADIR)/tidepool/loop'
	$(INSTALL) -m 644 src/tidepool.h '$(LUADIR)/tidepool'
	$(INSTALL) -m 755 $(MODULE) '$(LIBDIR)/tidepool'
uninstall: ## take away what install put there
	rm -f $(patsubst lua/%,'$(LUADIR)/%',\
	  $(wildcard lua/tidepool/*.lua lua/tidepool/loop/*.lua)) \
	  '$(LUADIR)/tidepool/tidepool.h' \
	  '$(LIBDIR)/tidepool/core.so'
	-rmdir '$(LUADIR)/tidepool/loop' '$(LUADIR)/tidepool' '$(LIBDIR)/tidepool'

.PHONY: format
format: ## lay out the C files with clang-format
	$(CLANG_FORMAT) -i $(wildcard src/*.h src/*/*.[ch] tests/*/*.[ch] \
	  examples/*/*.[ch] bench/*.[ch])

.PHONY: clean
clean: ## remove what was built, LuaRocks' leftovers too
	rm -rf build tidepool luarocks lua_modules .luarocks
	find src -name '*.o' -exec rm -f {} +

# ----------------------------------------------------------------- testing

# The environment of everything that runs from the tree; scripts/run.sh sets
# the paths. A sanitized build runs in an interpreter that was built with it.
ifneq ($(SANITIZE),)
TEST_LUA = $(CURDIR)/$(RUNNER)
CHECK ?= $(SANITIZE)
else
TEST_LUA = $(LUA)
endif
RUN = TIDEPOOL_BUILD='$(BUILD)' TIDEPOOL_LUA='$(TEST_LUA)' \
	TIDEPOOL_SANITIZER='$(CHECK)' CC='$(CC)' LUA_INCDIR='$(LUA_INCDIR)' \
	scripts/run.sh

# Everything is built first, then the parts run one after the other.
.PHONY: test
test: tests ## build and run everything that must be green
	@$(MAKE) --no-print-directory suite lint
ifneq ($(filter suite lint,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

.PHONY: suite test-core test-specs
suite: test-core test-specs
test-core: $(CORE_TESTS) $(BINDING_TESTS) ## the C tests
	@$(RUN) scripts/run-core.sh $(CORE_TESTS) $(BINDING_TESTS)
test-specs: tests ## the specs; SPEC=spec/future_spec.lua for one
	@$(RUN) scripts/run-specs.sh $(or $(SPEC),spec)

.PHONY: lint
lint: layers forks rockspec-check luacheck doc-check ## what needs no run
.PHONY: layers forks rockspec-check luacheck doc-check snippets rock-check
layers: ## do all arrows between the source files point down?
	@$(RUN) $(LUA) scripts/layers.lua
forks: ## does every lock in static storage survive a fork?
	@$(RUN) $(LUA) scripts/forks.lua
rockspec-check: ## does the rockspec name every source file?
	@$(RUN) $(LUA) scripts/rockspec.lua
luacheck:
	@$(LUACHECK) --no-color .
doc-check: all ## is everything documented?
	@$(RUN) $(LUA) scripts/doc-check.lua
snippets: all examples ## run the examples in the documents
	@$(RUN) $(LUA) scripts/snippets.lua
rock-check: ## install the rock into an empty folder and use it there
	@$(RUN) tests/rock/run.sh

# Each checker has a build of its own.
.PHONY: check-portable check-asan check-ubsan check-tsan check-valgrind check-oom stress check-chaos \
	check-assert
checked = @+$(MAKE) --no-print-directory BUILD=build/$1 SANITIZE=$2
check-portable: ## the suite without what only Linux has
	@+$(MAKE) --no-print-directory BUILD=build/portable \
	  CFLAGS='$(CFLAGS) -DTPI_PORTABLE' tests
	@+$(MAKE) --no-print-directory BUILD=build/portable \
	  CFLAGS='$(CFLAGS) -DTPI_PORTABLE' suite
check-asan: ## the suite under AddressSanitizer, leaks included
	$(call checked,asan,address) tests
	$(call checked,asan,address) suite
check-ubsan: ## the suite under UndefinedBehaviorSanitizer
	$(call checked,ubsan,undefined) tests
	$(call checked,ubsan,undefined) suite
check-tsan: ## the suite under ThreadSanitizer
	$(call checked,tsan,thread) tests
	$(call checked,tsan,thread) suite
check-valgrind: tests ## the suite under valgrind
	@$(MAKE) --no-print-directory CHECK=valgrind \
	  LUA='$(LUA)' VALGRIND='$(VALGRIND)' test-core test-specs
check-oom: ## every allocation fails once, under AddressSanitizer
	@$(MAKE) --no-print-directory BUILD=build/oom SANITIZE=address \
	  DEFS=-DTPI_FAILURES run-oom
.PHONY: run-oom
run-oom: all $(TEST_MODULES) $(OOM)
	@$(if $(OOM),$(RUN) $(OOM),echo 'tests/oom is empty')
stress: all $(TEST_MODULES) $(STRESS) ## STRESS_SECONDS=60 make stress
	@$(if $(STRESS),STRESS_SECONDS='$(STRESS_SECONDS)' $(RUN) $(STRESS),\
	  echo 'tests/stress is empty')

ASSERT = build/assert/lua
asserted = @+$(MAKE) --no-print-directory BUILD=build/assert CHECK=assert \
	TEST_LUA='$(CURDIR)/build/assert/tests/lua' \
	LUA_INCDIR='$(CURDIR)/$(ASSERT)' LUA_LIBS='-Wl,--whole-archive \
	$(CURDIR)/$(ASSERT)/liblua.a -Wl,--no-whole-archive -lm'
check-assert: ## the suite in a Lua with assertions, built from LUA_SRC
ifeq ($(LUA_SRC),)
	@echo 'check-assert: LUA_SRC names no source tree of Lua'
	@echo '0 passed, 0 failed, 1 skipped'
else
	@CC='$(CC)' scripts/build-lua.sh '$(LUA_SRC)' '$(ASSERT)'
	$(asserted) tests
	$(asserted) suite
endif
check-chaos: ## the stress, and threads that yield at random
	@+$(MAKE) --no-print-directory BUILD=build/chaos DEFS=-DTPI_CHAOS stress

# ------------------------------------------------------------------- rules

# Changes with the command line, so that other flags build everything anew.
$(BUILD)/flags: FORCE | $(FIRST)
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE) $(LDFLAGS) $(LUA_INCDIR))' >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
.PHONY: FORCE
FORCE:

HIDDEN = -fvisibility=hidden
$(BUILD)/src/core/%.o $(BUILD)/src/api/%.o: EXTRA = -Isrc $(HIDDEN)
$(BUILD)/src/lua/%.o: EXTRA = -Isrc $(LUA_H) $(HIDDEN)
$(BUILD)/tests/core/%.o: EXTRA = -Isrc -Itests
$(BUILD)/tests/binding/%.o: EXTRA = -Isrc -Itests/core $(LUA_H) $(HIDDEN)
$(BUILD)/%.o: EXTRA = -Isrc $(LUA_H)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(EXTRA) -c $< -o $@

$(MODULE): $(CORE_OBJECTS) $(LUA_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(LINK) $(SHARED) $^ -o $@

# Modules as anybody would write them: tidepool.h and lua.h, nothing to link.
define module
$1: $(call objects,$2)
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(LINK) $$(SHARED) $$^ -o $$@ $3
endef
digest_LIBS = $(CRYPTO_LIBS)
gunzip_LIBS = $(ZLIB_LIBS)
$(foreach m,$(EXAMPLES),$(eval $(call module,$m,\
	$(wildcard examples/$(basename $(notdir $m))/*.c),\
	$$($(basename $(notdir $m))_LIBS))))
$(foreach m,$(TEST_MODULES),$(eval $(call module,$m,\
	$(wildcard $(addprefix tests/modules/$(basename $(notdir $m)),.c _*.c)))))
$(foreach m,$(BENCH_MODULES),$(eval $(call module,$m,\
	bench/$(basename $(notdir $m)).c)))

$(BUILD)/tests/core/%: $(BUILD)/tests/core/%_test.o $(CORE_OBJECTS) \
	$(CORE_HELPERS)
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ -lcmocka

# Modules look for Lua in the program, where a static library has put it.
EMBED = -rdynamic $(LUA_LIBS) -ldl
$(RUNNER): $(BUILD)/tests/runner/lua.o
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ $(EMBED)

$(BUILD)/tests/binding/%: $(BUILD)/tests/binding/%_test.o $(CORE_OBJECTS) \
	$(LUA_OBJECTS)
	$(call say,LINK)
	$(Q)$(LINK) $(filter-out $(BUILD)/src/lua/$*.o,$^) -o $@ -lcmocka $(EMBED)

$(BUILD)/tests/exit/%: $(BUILD)/tests/exit/%.o
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ $(EMBED)

$(OOM): $(OOM_OBJECTS) $(CORE_OBJECTS) $(LUA_OBJECTS)
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ $(EMBED)

$(STRESS): $(STRESS_OBJECTS)
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ $(EMBED)

$(BUILD)/bench/session: $(BUILD)/bench/session.o
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ $(EMBED)

$(BUILD)/bench/%: $(BUILD)/bench/%.o
	$(call say,LINK)
	$(Q)$(LINK) $^ -o $@ -lm

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
