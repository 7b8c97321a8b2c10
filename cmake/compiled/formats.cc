// Formats, projections and references of the standard value types.

#define LACUNA_DEFINE_INSTANCES
#include "lacuna/formats.h"

#include "lacuna/core/shape.h"
#include "lacuna/format/pattern_library.ipp"
#include "lacuna/prune.h"
#include "lacuna/prune/scheme.ipp"
#include "lacuna/reference.h"
#include "lacuna/reference/rounded.h"
