/* Private to base/: reads memory figures from files of the kernel. */
#ifndef DCMPI_BASE_MEM_KERNEL_H
#define DCMPI_BASE_MEM_KERNEL_H

#include "dcmpi/base.h"

/* Returns n from the line "NAME: n kB" of a file, in bytes; 0 if there is no such line. */
size_t dc_mem_kernel_bytes(const char *path, const char *name);

#endif
