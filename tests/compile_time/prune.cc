// Pruning, and storing what is left.

#include <lacuna/core/blob.h>
#include <lacuna/format/bcr.h>
#include <lacuna/format/dense.h>
#include <lacuna/prune/bcr.h>

#include <cstddef>
#include <span>

lacuna::Result<lacuna::Buffer<std::byte>> Store(const lacuna::MatrixShape& shape, std::span<const float> trained) {
  LACUNA_ASSIGN_OR_RETURN(dense, lacuna::DenseWeights<float>::View(shape, trained));
  LACUNA_ASSIGN_OR_RETURN(pruned, lacuna::prune::ProjectBcr(dense, {.rows = 8, .columns = 16, .column_keep = 0.125}));
  return lacuna::Serialize(pruned);
}
