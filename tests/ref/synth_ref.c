#include "synth_ref.h"

#include <math.h>

/* de Casteljau */
static dc_point arc_at(const dc_point *p, double t)
{
    const double ax = p[0].x + t * (p[1].x - p[0].x), ay = p[0].y + t * (p[1].y - p[0].y);
    const double bx = p[1].x + t * (p[2].x - p[1].x), by = p[1].y + t * (p[2].y - p[1].y);
    return (dc_point){ax + t * (bx - ax), ay + t * (by - ay)};
}

/* Beyond an end of the piece: the distance to that end. Beside the piece: the height of the triangle over it. */
static double piece_distance(dc_point a, dc_point b, double x, double y)
{
    const double ux = b.x - a.x, uy = b.y - a.y;
    if (ux * (x - a.x) + uy * (y - a.y) <= 0) return hypot(x - a.x, y - a.y);
    if (ux * (x - b.x) + uy * (y - b.y) >= 0) return hypot(x - b.x, y - b.y);
    return fabs(ux * (y - a.y) - uy * (x - a.x)) / hypot(ux, uy);
}

double dc_stroke_distance_ref(const dc_stroke *stroke, double x, double y)
{
    double least = INFINITY;
    for (int arc = 0; arc < stroke->n / 2; arc++)
        for (int i = 0; i < DC_ARC_PIECES; i++)
            least = fmin(least, piece_distance(arc_at(stroke->point + 2 * arc, i / (double)DC_ARC_PIECES),
                                               arc_at(stroke->point + 2 * arc, (i + 1) / (double)DC_ARC_PIECES), x, y));
    return least;
}

double dc_curve_distance_ref(const dc_stroke *stroke, double x, double y, int samples)
{
    double least = INFINITY;
    for (int arc = 0; arc < stroke->n / 2; arc++)
        for (int i = 0; i <= samples; i++) {
            const dc_point p = arc_at(stroke->point + 2 * arc, i / (double)samples);
            least = fmin(least, hypot(x - p.x, y - p.y));
        }
    return least;
}
