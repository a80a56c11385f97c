/* ranks: 0. Some thousand mutated files (seed 303): whatever happens to their bytes and whatever the options are,
 * convert ends with success or a message, leaves no temporary file, and holds no memory. Meant to be run under
 * sanitizers too. */
#include "t3_mutate.h"

enum { MUTATIONS_PER_FILE = 150 };

int main(void)
{
    enter_folder();
    srand48(303);
    write_npy("a.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }       \n", (const float[6]){1},
              24);
    write_gz("a.gz", "wb", "1,2,3\n4,5,6\n7,8,9\n", 18);
    const sample idx = idx_sample(), table = table_sample(0);
    write_gz("b.gz", "wb", idx.bytes, idx.n);
    const sample samples[] = {idx,
                              load_sample("a.npy"),
                              load_sample("a.gz"),
                              load_sample("b.gz"),
                              xz_sample(&table),
                              zstd_sample(&table),
                              utf16_sample(&table)};
    outcome o = {0};
    for (size_t k = 0; k < DC_COUNT_OF(samples); k++)
        for (int i = 0; i < MUTATIONS_PER_FILE; i++) convert_mutated(samples[k], (dc_convert_config){0}, &o);
    for (size_t k = 0; k < TABLE_SAMPLES; k++)
        for (int i = 0; i < MUTATIONS_PER_FILE; i++) convert_mutated(table_sample(k), random_options(), &o);
    printf("# %d converted, %d refused\n", o.converted, o.refused);
    CHECK_INT(o.other, 0);
    CHECK_INT(o.leftovers, 0);
    CHECK(o.converted > 100 && o.refused > 500);
    leave_folder();
    return check_done();
}
