/* Choices shared by keys of several methods. */
#include "methods.h"

const dc_key_choice dc_square_losses[] = {
    {"mse", DC_LOSS_MSE}, {"mse_sum", DC_LOSS_MSE_SUM}, {"mse_half_sum", DC_LOSS_MSE_HALF_SUM}, {NULL, 0}};
