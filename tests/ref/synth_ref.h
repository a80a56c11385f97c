/* Naive twin of src/synth/glyphs.c. */
#ifndef DCMPI_TESTS_SYNTH_REF_H
#define DCMPI_TESTS_SYNTH_REF_H

#include "../../src/synth/glyphs.h"

/* Distance of (x, y) to the stroke drawn as DC_ARC_PIECES straight pieces per arc. */
double dc_stroke_distance_ref(const dc_stroke *stroke, double x, double y);
/* Distance of (x, y) to the arcs themselves, by `samples` points on each. */
double dc_curve_distance_ref(const dc_stroke *stroke, double x, double y, int samples);

#endif
