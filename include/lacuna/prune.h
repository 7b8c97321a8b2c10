// Pruning: projections of dense weights onto schemes. No SIMD code. The mapping of schemes to layers is apart:
// prune/mapping_rules.h, prune/mapping_search.h.

#ifndef LACUNA_PRUNE_H_
#define LACUNA_PRUNE_H_

#include "lacuna/prune/bcr.h"
#include "lacuna/prune/block.h"
#include "lacuna/prune/filter.h"
#include "lacuna/prune/pattern.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/punched.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/prune/unstructured.h"

#endif  // LACUNA_PRUNE_H_
