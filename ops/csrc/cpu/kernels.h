// All kernels, once for each instruction set: a file that includes this sets VEC_LANES and the target first.
#pragma once
#include "conv.h"
#include "rgb.h"
#include "up.h"

#define DEFINE_KERNELS(name) \
    extern const Kernels name; \
    const Kernels name = {conv_forward, conv_backward, up_forward, up_backward, last_backward, rgb_forward, \
                          add_enlarged};
