# dcmpi: the only makefile. Modes never mix: every combination of DEBUG, SAN, FAULT and ARCH builds in a directory of its own.
#
#: make              build the program: build/dcmpi
#: make demo         install what is missing, build, run the built-in problem on 2 ranks
#: make check        install what is missing, build, run the tests;  check-long: the long ones too
#: make setup        install what is missing (Debian packages; root or sudo)
#: make info         the effective configuration, which is also compiled into the program
#: make install      to PREFIX (/usr/local) below DESTDIR;  uninstall: remove it again
#: make dist         dcmpi-VERSION.tar.gz of the last commit, for packages
#: make bench        measure the kernels, and what equal bits cost; wants two idle cores
#: make lint         warnings as errors, clang-format, clang-tidy, cppcheck, shellcheck, layers;  format: rewrite the sources
#: make check-valgrind    serial tests under valgrind
#: make check-faults      the tests of faults alone: files, signals, kills, locks, fault points; a part of check
#: make check-soak        kill and compare at random, for MINUTES=60; SEED=1 chooses the events
#: make check-cluster     job scripts on a virtual Slurm cluster (root; installs Slurm); check runs a part of it if Slurm is there
#: make clean        remove build/
#:
#: Variables (make VARIABLE=value):
#:   ARCH=native     instruction set, as gcc's -march; x86-64-v3 for a binary that also runs on other nodes
#:   DEBUG=1         checks of collective calls, -O1
#:   SAN=address,undefined    sanitizers
#:   FAULT=1         fault points
#:   WERROR=1        warnings are errors
#:   V=1             show whole commands
#:   SLOW=N          time limits of the tests times this; by default measured (they do not count what other work takes)
#:   CC, MPIRUN, PKG_CONFIG, HDF5_PC, SCALAPACK, EXTRA_CFLAGS    other compilers and libraries


# ---------------------------------------------------------------- user variables
ARCH    ?= native
CC       = mpicc
MPIRUN  ?= mpirun
PKG_CONFIG ?= pkg-config
HDF5_PC ?= hdf5-openmpi
SCALAPACK ?= scalapack-openmpi
PREFIX  ?= /usr/local
DESTDIR ?=
DEBUG   ?= 0
SAN     ?=
FAULT   ?= 0
WERROR  ?= 0
EXTRA_CFLAGS ?=
V       ?= 0

VERSION = 0.1.0

# ---------------------------------------------------------------- modes
comma := ,
empty :=
space := $(empty) $(empty)
MODE_WORDS = $(if $(filter 1,$(DEBUG)),debug) $(if $(SAN),san-$(subst $(comma),-,$(SAN))) \
             $(if $(filter 1,$(FAULT)),fault) $(if $(filter-out native,$(ARCH)),$(ARCH))
MODE  = $(subst $(space),-,$(strip $(MODE_WORDS)))
BUILD = build$(MODE:%=/%)

# ---------------------------------------------------------------- flags
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla $(if $(filter 1,$(WERROR)),-Werror)
OPT      = $(if $(filter 1,$(DEBUG))$(SAN),-O1 -fno-omit-frame-pointer,-O3)
DEFINES  = -D_GNU_SOURCE $(if $(filter 1,$(DEBUG)),-DDC_DEBUG) $(if $(filter 1,$(FAULT)),-DDC_FAULT) \
           $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
# c11 alone would turn FMA contraction off and hide POSIX; reordered sums would break the promise of equal bits.
CODEGEN  = -std=c11 $(OPT) -march=$(ARCH) -ffp-contract=fast -fno-math-errno -fopenmp -g \
           -fstack-protector-strong -fPIE $(SANITIZE)
LDFLAGS  = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CPPFLAGS = -Iinclude -Isrc -I$(BUILD)/gen $(DEFINES) $(HDF5_CFLAGS)
CFLAGS   = $(CODEGEN) $(WARNINGS) $(EXTRA_CFLAGS)
LIBS     = $(HDF5_LIBS) -ldnnl -lopenblas -l$(SCALAPACK) -lyaml -ljansson -lunistring -lz -lbz2 -llzma -lzstd -lxxhash -lhwloc -lm
# Asked once, and only when a recipe needs the answer: `make setup` may have to install pkg-config first.
HDF5_CFLAGS = $(eval HDF5_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags $$(HDF5_PC)))$(HDF5_CFLAGS)
# clang-tidy is not mpicc: it needs the include directories that mpicc adds.
MPI_CFLAGS  = $(eval MPI_CFLAGS := $$(shell $$(CC) --showme:compile))$(MPI_CFLAGS)
HDF5_LIBS   = $(eval HDF5_LIBS := $$(shell $$(PKG_CONFIG) --libs $$(HDF5_PC)))$(HDF5_LIBS)

# ---------------------------------------------------------------- sources
MAIN_SRC = src/app/main.c
LIB_SRC  = $(filter-out $(MAIN_SRC),$(wildcard src/*/*.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(BUILD)/%.o)
REF_OBJ  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/ref/*.c))
BENCHES  = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench_*.c))
FORMATTED = $(wildcard src/*/*.[ch] include/dcmpi/*.h tests/*.[ch] tests/ref/*.[ch] tests/shim/*.c)
TESTS    = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/t*.c))

SCRIPTS  = $(wildcard tests/*.sh tools/*.sh jobs/*.sh jobs/*.slurm) .ci/run

all: $(BUILD)/dcmpi

# ---------------------------------------------------------------- program, library, tests
# $(call run,WORD,COMMAND): shows the command if V=1, else one short line.
run = @$(if $(filter 1,$(V)),echo '$(2)',echo '  $(1)  $@'); $(2)

$(BUILD)/dcmpi: $(BUILD)/src/app/main.o $(BUILD)/libdcmpi.a
	$(call run,LD,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS))

$(BUILD)/libdcmpi.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/tests/libref.a: $(REF_OBJ) | $(BUILD)/tests/
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/gen/flags.txt | $(BUILD)/gen/dcmpi_build_info.h
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(CPPFLAGS) $(if $(filter tests/%,$<),-Itests) $(CFLAGS) -MMD -MP -c -o $@ $<)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/libref.a $(BUILD)/libdcmpi.a
	$(call run,LD,$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS))

tests: $(TESTS) $(BUILD)/tests/failio.so $(BUILD)/tests/within

# Preloaded by tests to make a system call fail.
$(BUILD)/tests/failio.so: tests/shim/failio.c | $(BUILD)/tests/
	$(call run,CC,$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARNINGS) -fPIC -shared -o $@ $<)

# Runs a command with a time limit that does not count time in which other work has the machine.
$(BUILD)/tests/within: tests/shim/within.c | $(BUILD)/tests/
	$(call run,CC,$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARNINGS) -o $@ $<)

$(BUILD)/ $(BUILD)/tests/ $(BUILD)/gen/:
	@mkdir -p $@

# Before the first compilation, names everything that is missing with its Debian package.
export CC PKG_CONFIG HDF5_PC SCALAPACK
$(BUILD)/gen/libraries.ok: tools/setup.sh | $(BUILD)/gen/
	@tools/setup.sh --check
	@touch $@

# ---------------------------------------------------------------- what the program knows about its build
# A source archive is not a repository, even if it is unpacked inside one. Its commit is in the file .commit, where
# `git archive` wrote it (.gitattributes).
GIT_ID = $(shell { if [ -e .git ]; then git describe --always --dirty --abbrev=10 --exclude='*'; \
    else grep -oE '^[0-9a-f]{10}' .commit; fi; } 2>/dev/null || echo unknown)

define BUILD_INFO
version   $(VERSION) ($(GIT_ID))
compiler  $(shell $(CC) --version 2>/dev/null | head -n 1)
mode      $(if $(MODE),$(MODE),release)
arch      $(ARCH)
flags     $(strip $(CODEGEN) $(EXTRA_CFLAGS))
defines   $(strip $(DEFINES))
libraries $(strip $(LIBS))
endef

# A generated file is replaced only if its text changed, so that nothing is rebuilt without need.
replace_if_changed = if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/gen/flags.txt: FORCE | $(BUILD)/gen/libraries.ok
	@$(file >$@.new,$(CC) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)))$(replace_if_changed)

$(BUILD)/gen/dcmpi_build_info.h: FORCE | $(BUILD)/gen/libraries.ok
	@$(file >$@.txt,$(BUILD_INFO)) \
	{ echo '#define DC_BUILD_VERSION "$(VERSION)"'; \
	  echo '#define DC_BUILD_GIT "$(GIT_ID)"'; \
	  echo '#define DC_BUILD_ARCH "$(ARCH)"'; \
	  echo '#define DC_BUILD_INFO \'; \
	  sed -e 's/[\"]/\\&/g' -e 's/.*/    "&\\n" \\/' $@.txt; echo '    ""'; } >$@.new; $(replace_if_changed)

info:
	@:$(info $(BUILD_INFO))

# ---------------------------------------------------------------- one command each: see it run, check it
# Recursive, because setup may install what the variables above ask for.
MAKE_ALL = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
RUN_TESTS = DCMPI_SAN=$(SAN) tests/run.sh --build $(BUILD)
# The tests of fault points need a program built with them.
MAKE_FAULT = $(MAKE_ALL) WERROR=1 FAULT=1 BUILD=$(BUILD)/fault all

setup:
	@tools/setup.sh

setup-developer:
	@tools/setup.sh --developer

setup-cluster:
	@tools/setup.sh --cluster

# In containers the user is root; mpirun refuses to run as root unless both variables are set.
ALLOW_ROOT = $(if $(filter 0,$(shell id -u)),OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)

demo: setup
	@$(MAKE_ALL) all
	@$(ALLOW_ROOT) $(MPIRUN) --oversubscribe -n 2 $(BUILD)/dcmpi
	@tools/report.py runs/glyphs
	@echo; echo "Results: runs/glyphs/ (report.html for a browser, run.h5 for h5py, summary.json, log.txt, config.used.yaml)"

check: setup
	@$(MAKE_ALL) WERROR=1 all tests
	@$(MAKE_FAULT)
	@$(RUN_TESTS)

check-long: setup
	@$(MAKE_ALL) WERROR=1 all tests
	@$(MAKE_FAULT)
	@$(RUN_TESTS) --long

check-faults: setup
	@$(MAKE_ALL) WERROR=1 all tests
	@$(MAKE_FAULT)
	@$(RUN_TESTS) t12 t76 t90 t91 t92 t93 t94 t96

MINUTES ?= 60
SEED    ?= 1
check-soak: setup
	@$(MAKE_ALL) WERROR=1 all
	@tests/soak.sh --build $(BUILD) --minutes $(MINUTES) --seed $(SEED)

check-cluster: setup-cluster
	@$(MAKE_ALL) WERROR=1 all
	@$(RUN_TESTS) --long slurm

# valgrind 3.19 does not know AVX-512; the code that oneDNN generates for AVX2 reads beyond its own buffers.
VALGRIND = valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
           --suppressions=tests/valgrind.supp
check-valgrind: setup-developer
	@$(MAKE_ALL) ARCH=x86-64-v3 all tests
	@DNNL_MAX_CPU_ISA=AVX tests/run.sh --build $$($(MAKE) -s ARCH=x86-64-v3 print-build) --serial --wrap "$(VALGRIND)"

print-build:
	@echo $(BUILD)

bench: setup
	@$(MAKE_ALL) all $(BENCHES)
	@OMP_PROC_BIND=true $(BUILD)/tests/bench_step
	@OMP_PROC_BIND=true OMP_WAIT_POLICY=passive $(BUILD)/tests/bench_knn
	@OMP_PROC_BIND=true OMP_WAIT_POLICY=passive $(BUILD)/tests/bench_knn 10000 784
	@OMP_PROC_BIND=true OMP_WAIT_POLICY=passive $(BUILD)/tests/bench_stream $(BUILD)/bench_stream.h5 1000000
	@$(ALLOW_ROOT) MPIRUN=$(MPIRUN) tests/bench_strict.sh $(BUILD)

# ---------------------------------------------------------------- style and static checks
layers:
	@tools/check_layers.py

format:
	clang-format -i $(FORMATTED)

lint: setup-developer layers
	@clang-format --dry-run -Werror $(FORMATTED)
	@shellcheck $(SCRIPTS)
	@$(MAKE_ALL) WERROR=1 BUILD=$(BUILD)/lint all tests tidy cppcheck
	@echo "lint: no findings"

# A file is looked at again if it, a header of its, or the checks changed: the whole tree takes twenty minutes of CPU.
# clang 14 has _Float16 only for the newest CPUs; nothing is run.
TIDY = $(patsubst %.c,$(BUILD)/tidy/%.ok,$(LIB_SRC) $(MAIN_SRC))
tidy: $(TIDY)
$(BUILD)/tidy/%.ok: $(BUILD)/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $*.c -- $(CPPFLAGS) -std=c11 -fopenmp -march=sapphirerapids $(MPI_CFLAGS) 2>&1 | \
	    { grep -vE '^[0-9]+ warnings? generated' || true; } | { ! grep . ; }
	@touch $@

cppcheck: $(BUILD)/gen/dcmpi_build_info.h
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --cppcheck-build-dir=$(BUILD)/cppcheck -j$(shell nproc) --library=tests/cppcheck.cfg \
	    -Iinclude -Isrc -I$(BUILD)/gen $(LIB_SRC) $(MAIN_SRC)

# ---------------------------------------------------------------- install
SHARE     = $(DESTDIR)$(PREFIX)/share
INSTALLED = $(DESTDIR)$(PREFIX)/bin/dcmpi $(SHARE)/man/man1/dcmpi.1 $(SHARE)/bash-completion/completions/dcmpi \
            $(SHARE)/modulefiles/dcmpi/$(VERSION)

# Man page and completion are printed by the program: its tables of verbs and keys are their text.
$(BUILD)/gen/dcmpi.1 $(BUILD)/gen/completion: $(BUILD)/gen/%: $(BUILD)/dcmpi
	@$< config --$(if $(filter %.1,$*),man,completion) >$@

$(BUILD)/gen/modulefile: packaging/modulefile.in Makefile | $(BUILD)/gen/
	@sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@PREFIX@|$(PREFIX)|g' $< >$@.new; $(replace_if_changed)

# PREFIX may be another one than at the last installation.
.PHONY: $(BUILD)/gen/modulefile

install: all $(BUILD)/gen/dcmpi.1 $(BUILD)/gen/completion $(BUILD)/gen/modulefile
	install -d $(dir $(INSTALLED)) $(addprefix $(SHARE)/,dcmpi/decks dcmpi/jobs dcmpi/tools doc/dcmpi)
	install -m 755 $(BUILD)/dcmpi $(DESTDIR)$(PREFIX)/bin/dcmpi
	install -m 644 $(BUILD)/gen/dcmpi.1 $(SHARE)/man/man1/dcmpi.1
	install -m 644 $(BUILD)/gen/completion $(SHARE)/bash-completion/completions/dcmpi
	install -m 644 $(BUILD)/gen/modulefile $(SHARE)/modulefiles/dcmpi/$(VERSION)
	install -m 644 $(wildcard input/*) $(SHARE)/dcmpi/decks
	install -m 755 $(wildcard jobs/*) $(SHARE)/dcmpi/jobs
	install -m 755 $(wildcard tools/report*.py tools/export.py tools/sweep.py) $(SHARE)/dcmpi/tools
	cp -R packaging $(SHARE)/dcmpi/
	install -m 644 README.md LICENSE CITATION.cff $(SHARE)/doc/dcmpi

uninstall:
	rm -f $(INSTALLED)
	rm -rf $(SHARE)/dcmpi $(SHARE)/doc/dcmpi
	-rmdir $(SHARE)/modulefiles/dcmpi

dist:
	git archive --prefix=dcmpi-$(VERSION)/ -o dcmpi-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

help:
	@sed -n 's/^#: //p' Makefile

-include $(LIB_OBJ:.o=.d) $(BUILD)/src/app/main.d $(REF_OBJ:.o=.d) $(TESTS:=.d) $(BENCHES:=.d)
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all tests info setup setup-developer setup-cluster demo check check-long check-faults check-soak check-cluster check-valgrind print-build bench \
        layers format lint tidy cppcheck install uninstall dist clean help FORCE
