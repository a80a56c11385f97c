/* What this binary is: version, git id, compiler, flags, instruction sets. Filled in by the Makefile. */
#ifndef DCMPI_VERSION_H
#define DCMPI_VERSION_H

#include "dcmpi/base.h"

const char *dc_version(void);       /* "0.1.0" */
const char *dc_version_git(void);   /* short commit id, "-dirty" appended, or "unknown" */
const char *dc_version_build(void); /* several lines: what `make info` prints */
const char *dc_version_arch(void);  /* -march value */
/* XXH3 of the program's file; 0 if it cannot be read. */
uint64_t dc_version_program_hash(void);
/* The CPU's model name: "AMD EPYC 9654 96-Core Processor". */
const char *dc_version_cpu(void);
/* Checks that this CPU has the instruction sets that the program was compiled for. Errors: DC_ERR_USAGE with advice. */
DC_CHECKED dc_status dc_version_check_cpu(void);

#endif
