/* For tests that compare jobs of different sizes: they start themselves under mpirun ("TEST digest FILE"), and the
 * first rank prints a line "digest ...". */
#ifndef DCMPI_TESTS_DIGEST_HELP_H
#define DCMPI_TESTS_DIGEST_HELP_H

#include <stdio.h>
#include <stdlib.h>

/* The digest that P ranks of T threads print; "" if there is none. */
static inline void digest_under_mpirun(const char *self, const char *path, int P, int T, char out[32])
{
    char command[1024], line[256];
    const char *flags = getenv("MPIRUN_FLAGS");
    snprintf(command, sizeof command, "OMP_NUM_THREADS=%d mpirun %s -n %d '%s' digest '%s' </dev/null 2>&1", T,
             flags ? flags : "--oversubscribe --bind-to none", P, self, path);
    out[0] = '\0';
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "digest %31s", out) != 1) printf("# %s", line);
    if (f) pclose(f);
}

#endif
