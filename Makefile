# dcmpi: the only makefile (being completed)
ARCH ?= native
CC = mpicc
PC = pkg-config
BUILD = build
CPPFLAGS = -Iinclude $(shell $(PC) --cflags hdf5-openmpi)
CFLAGS = -std=c11 -D_GNU_SOURCE -O3 -march=$(ARCH) -ffp-contract=fast -fno-math-errno -fopenmp -g \
         -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Werror
LIBS = $(shell $(PC) --libs hdf5-openmpi) -ldnnl -lopenblas -lscalapack-openmpi -lyaml -lz -lxxhash -lhwloc -lm
LIB_SRC = $(filter-out src/app/main.c,$(wildcard src/*/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
TESTS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/t*.c))

all: $(BUILD)/dcmpi
$(BUILD)/dcmpi: $(BUILD)/src/app/main.o $(BUILD)/libdcmpi.a
	$(CC) $(CFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/libdcmpi.a: $(LIB_OBJ)
	rm -f $@; ar rcs $@ $^
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%: tests/%.c $(BUILD)/libdcmpi.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(wildcard tests/ref/*.c) $(BUILD)/libdcmpi.a $(LIBS)
tests: $(TESTS)
-include $(LIB_OBJ:.o=.d) $(TESTS:=.d)
clean:
	rm -rf $(BUILD)
.PHONY: all tests clean
