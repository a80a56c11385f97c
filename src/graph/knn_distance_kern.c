/* What decides who is near by angle, from sums in double (la.h). */
#include <math.h>

#include "graph/knn.h"

/* 0 for copies: the root of a square is exact. */
double dc_knn_cosine(double dot, double x_square, double y_square)
{
    if (x_square == 0 || y_square == 0) return 1;
    return fmax(1 - dot / sqrt(x_square * y_square), 0);
}
