// Every public header, not in alphabetical order, and Highway's own afterwards.

#include <lacuna/prune.h>
//
#include <lacuna/recurrent.h>
//
#include <lacuna/gemv.h>
//
#include <lacuna/reference.h>
//
#include <lacuna/conv.h>
//
#include <lacuna/lacuna.h>
//
#include <lacuna/gemm.h>
//
#include <lacuna/formats.h>
//
#include <lacuna/gemv.h>
//
#include <hwy/highway.h>
//
#include <lacuna/conv.h>

#include <vector>

std::vector<float> Layer() {
  const std::vector<float> weights(32 * 32, 0.25f), x(32, 2.0f);
  std::vector<float> y(32), z(32);
  const auto dense = lacuna::DenseWeights<float>::View({.rows = 32, .columns = 32}, weights);
  if (!dense.ok()) return {};
  const auto gemv = lacuna::MakeGemv(*dense);
  const auto gemm = lacuna::MakeGemm(*dense, {.n = 1});
  const auto cell = lacuna::MakeRnnCell(*dense, *dense);
  if (!gemv.ok() || !gemm.ok() || !cell.ok()) return {};
  std::vector<std::byte> workspace(gemv->WorkspaceBytes(1) + gemm->WorkspaceBytes(1));
  const auto in = lacuna::MatrixView<const float>::ColumnMajor(x.data(), 32, 1);
  if (!gemv->Run(in, lacuna::MatrixView<float>::ColumnMajor(y.data(), 32, 1), {.workspace = workspace}).ok()) return {};
  if (!gemm->Run(in, lacuna::MatrixView<float>::ColumnMajor(z.data(), 32, 1), {.workspace = workspace}).ok()) return {};
  return y == z ? y : std::vector<float>();
}
