// Formats of sparse weights, conversions between them, and blobs to store them in. No SIMD code.

#ifndef LACUNA_FORMATS_H_
#define LACUNA_FORMATS_H_

#include "lacuna/core/blob.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/status.h"
#include "lacuna/format/any.h"
#include "lacuna/format/bcr.h"
#include "lacuna/format/bcrc.h"
#include "lacuna/format/block.h"
#include "lacuna/format/convert.h"
#include "lacuna/format/csr.h"
#include "lacuna/format/dense.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/format/pattern.h"
#include "lacuna/format/quantized_rows.h"

#endif  // LACUNA_FORMATS_H_
