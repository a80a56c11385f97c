# dcmpi: the only makefile. `make help` lists the targets, `make info` the effective configuration.
# Modes never mix: every combination of DEBUG, SAN, FAULT and ARCH builds in a folder of its own under build/.

# ---------------------------------------------------------------- user variables (make VARIABLE=value)
ARCH    ?= native
CC       = mpicc
MPIRUN  ?= mpirun
PKG_CONFIG ?= pkg-config
HDF5_PC ?= hdf5-openmpi
PREFIX  ?= /usr/local
DESTDIR ?=
DEBUG   ?= 0
SAN     ?=
FAULT   ?= 0
WERROR  ?= 0
EXTRA_CFLAGS ?=

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
# c11 alone would turn FMA contraction off and hide POSIX; fast-math would break the promise of equal bits.
CODEGEN  = -std=c11 $(OPT) -march=$(ARCH) -ffp-contract=fast -fno-math-errno -fopenmp -g \
           -fstack-protector-strong -fPIE $(SANITIZE)
LDFLAGS  = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CPPFLAGS = -Iinclude -Isrc -I$(BUILD)/gen $(DEFINES) $(HDF5_CFLAGS)
CFLAGS   = $(CODEGEN) $(WARNINGS) $(EXTRA_CFLAGS)
LIBS     = $(HDF5_LIBS) -ldnnl -lopenblas -lscalapack-openmpi -lyaml -lz -lxxhash -lhwloc -lm
# Asked once, and only when a recipe needs the answer: `make setup` may have to install pkg-config first.
HDF5_CFLAGS = $(eval HDF5_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags $$(HDF5_PC)))$(HDF5_CFLAGS)
HDF5_LIBS   = $(eval HDF5_LIBS := $$(shell $$(PKG_CONFIG) --libs $$(HDF5_PC)))$(HDF5_LIBS)

# ---------------------------------------------------------------- sources
MAIN_SRC = src/app/main.c
LIB_SRC  = $(filter-out $(MAIN_SRC),$(wildcard src/*/*.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(BUILD)/%.o)
REF_OBJ  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/ref/*.c))
TESTS    = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/t*.c))

all: $(BUILD)/dcmpi

# ---------------------------------------------------------------- program, library, tests
$(BUILD)/dcmpi: $(BUILD)/src/app/main.o $(BUILD)/libdcmpi.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libdcmpi.a: $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/tests/libref.a: $(REF_OBJ) | $(BUILD)/tests/
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/gen/flags.txt | $(BUILD)/gen/dcmpi_build_info.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(if $(filter tests/%,$<),-Itests) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/libref.a $(BUILD)/libdcmpi.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

tests: $(TESTS)

$(BUILD)/ $(BUILD)/tests/ $(BUILD)/gen/:
	@mkdir -p $@

# ---------------------------------------------------------------- what the program knows about its build
GIT_ID = $(shell git describe --always --dirty --abbrev=10 --exclude='*' 2>/dev/null || echo unknown)

define BUILD_INFO
version   $(VERSION) ($(GIT_ID))
compiler  $(shell $(CC) --version 2>/dev/null | head -n 1)
mode      $(if $(MODE),$(MODE),release)
arch      $(ARCH)
flags     $(strip $(CODEGEN) $(EXTRA_CFLAGS))
defines   $(strip $(DEFINES))
libraries $(strip $(LIBS))
endef

# A generated file is replaced only if its text changed, so nothing is built again for nothing.
replace_if_changed = if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/gen/flags.txt: FORCE | $(BUILD)/gen/
	@$(file >$@.new,$(CC) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)))$(replace_if_changed)

$(BUILD)/gen/dcmpi_build_info.h: FORCE | $(BUILD)/gen/
	@$(file >$@.txt,$(BUILD_INFO)) \
	{ echo '#define DC_BUILD_VERSION "$(VERSION)"'; \
	  echo '#define DC_BUILD_GIT "$(GIT_ID)"'; \
	  echo '#define DC_BUILD_ARCH "$(ARCH)"'; \
	  echo '#define DC_BUILD_INFO \'; \
	  sed -e 's/[\"]/\\&/g' -e 's/.*/    "&\\n" \\/' $@.txt; echo '    ""'; } >$@.new; $(replace_if_changed)

info:
	@:$(info $(BUILD_INFO))

clean:
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(BUILD)/src/app/main.d $(REF_OBJ:.o=.d) $(TESTS:=.d)
.SECONDARY:
.PHONY: all tests info clean FORCE
