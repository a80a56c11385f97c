/* Private to base/: figures of memory in files of the kernel. */
#ifndef DCMPI_BASE_MEM_KERNEL_H
#define DCMPI_BASE_MEM_KERNEL_H

#include "dcmpi/base.h"

/* The figure of the line "NAME: n kB" of a file, in bytes; 0 if there is none. */
size_t dc_mem_kernel_bytes(const char *path, const char *name);

#endif
