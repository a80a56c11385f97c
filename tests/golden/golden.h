/* Reader of tests/golden/NAME.txt: arrays of numbers under a name; the format is described in tools/golden.py. */
#ifndef DCMPI_TESTS_GOLDEN_H
#define DCMPI_TESTS_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Path of `file` in the directory of this header. */
static inline void golden_path(char *out, size_t cap, const char *file)
{
    const char *here = __FILE__, *slash = strrchr(here, '/');
    snprintf(out, cap, "%.*s%s", (int)(slash ? slash - here + 1 : 0), here, file);
}

/* Reads array `name` into out[count]. Returns false (and says so) if the array is missing or has another size. */
static inline int golden_read(const char *file, const char *name, double *out, size_t count)
{
    char path[512], line[1 << 14], found[128];
    size_t rows, cols;
    golden_path(path, sizeof path, file);
    FILE *f = fopen(path, "r");
    int ok = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (line[0] == '#' || sscanf(line, "%127s %zu %zu", found, &rows, &cols) != 3 || strcmp(found, name)) continue;
        ok = rows * cols == count;
        for (size_t i = 0; ok && i < count; i++) ok = fscanf(f, "%lf", &out[i]) == 1;
        break;
    }
    if (f) fclose(f);
    if (!ok) printf("# golden array %s[%zu] not found in %s\n", name, count, path);
    return ok;
}

/* The same, rounded to float. */
static inline int golden_read_f32(const char *file, const char *name, float *out, size_t count)
{
    double *tmp = malloc((count + 1) * sizeof *tmp);
    const int ok = tmp && golden_read(file, name, tmp, count);
    for (size_t i = 0; ok && i < count; i++) out[i] = (float)tmp[i];
    free(tmp);
    return ok;
}

#endif
