// The kernels for any machine.
#define VEC_LANES 4
#include "kernels.h"
DEFINE_KERNELS(kernels_portable)
