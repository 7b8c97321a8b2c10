// Bytes as a .npy, a .npz and a TensorProto: a Status, or a tensor that is written as one that is read as the same.

#include <doctest/doctest.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>

#include "graph/onnx_import.h"
#include "tests/fuzz/fuzz.h"
#include "tools/tensor_file.h"

namespace lacuna::fuzz::tensor_file_fuzzer {
namespace {

const ScratchFile& Archive() {
  static const ScratchFile file(".npz");
  return file;
}
const ScratchFile& Proto() {
  static const ScratchFile file(".pb");
  return file;
}

void CheckTensor(const graph::Tensor& tensor) {
  const bool integers = tensor.floats.empty();
  CHECK(static_cast<int64_t>(integers ? tensor.integers.size() : tensor.floats.size()) ==
        graph::Elements(tensor.shape));
}

void ReadNpy(std::string_view bytes) {
  const auto tensor = tools::ParseNpy(bytes, "input");
  if (!tensor.ok()) return;
  CheckTensor(*tensor);
  const std::string written = tools::FormatNpy(*tensor);
  const auto again = tools::ParseNpy(written, "input");
  REQUIRE(again.ok());
  CHECK(again->shape == tensor->shape);
  CHECK(again->integers == tensor->integers);
  CHECK(tools::FormatNpy(*again) == written);
}

void ReadFile(const std::string& path) {
  const auto tensors = tools::ReadTensors(path);
  if (!tensors.ok()) return;
  for (const auto& named : *tensors) CheckTensor(named.tensor);
}

void Run(std::span<const uint8_t> bytes) {
  Input in(bytes);
  switch (in.Range(0, 2)) {
    case 0: return ReadNpy(in.Text());
    case 1: return ReadFile(Archive().Write(in.Rest()));
    default: return ReadFile(Proto().Write(in.Rest()));
  }
}

void AddSeeds(Seeds& seeds) {
  graph::Tensor floats{.type = graph::ElementType::kFloat, .shape = {2, 3}};
  floats.floats = {1, 2, 3, 4, 5, 6};
  graph::Tensor integers{.type = graph::ElementType::kInt16, .shape = {4}};
  integers.integers = {1, -2, 3, -4};
  for (const graph::Tensor& tensor : {floats, integers}) seeds.Add({0}, tools::FormatNpy(tensor));
  std::string fortran = tools::FormatNpy(floats);
  fortran.replace(fortran.find("False"), 5, "True ");
  seeds.Add({0}, fortran);
  REQUIRE(tools::WriteTensors({{"a", floats}, {"b", integers}}, Archive().path()).ok());
  seeds.Add({1}, Archive().Read());
  onnx::TensorProto proto;
  proto.set_data_type(onnx::TensorProto::FLOAT);
  proto.add_dims(2);
  for (const float value : {1.0f, 2.0f}) proto.add_float_data(value);
  seeds.Add({2}, proto.SerializeAsString());
}

const Registration kRegistration({.name = "tensor_file", .run = &Run, .seeds = &AddSeeds});

}  // namespace
}  // namespace lacuna::fuzz::tensor_file_fuzzer
