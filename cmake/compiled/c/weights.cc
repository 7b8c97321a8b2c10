// Weights of the C interface: pruned, recognised, packed; blobs and files.

#include "lacuna/core/blob.h"
#include "lacuna/core/target.h"
#include "lacuna/format/dense.h"
#include "lacuna/op/active.h"
#include "lacuna/op/packed_weights.h"
#include "lacuna/prune/project.h"
#include "lacuna/prune/scheme.h"
#include "lacuna/prune/support.h"

#include <array>
#include <cstdio>
#include <memory>

#include "common.h"

namespace lacuna::inline LACUNA_ABI::c {

Result<Shared<HeldWeights>> Held(const char* name, const lacuna_weights* weights) {
  LACUNA_RETURN_IF_ERROR(NotNull(name, weights));
  return weights->held;
}

Result<Shared<HeldWeights>> HeldFormat(const char* name, const lacuna_weights* weights, const char* use) {
  LACUNA_ASSIGN_OR_RETURN(held, Held(name, weights));
  if (held->format() != nullptr) return held;
  return Status::Make(StatusCode::kUnsupported, "%s are packed, must be of a format for %s", name, use);
}

Status MakeWeights(HeldWeights weights, lacuna_weights** out) {
  LACUNA_ASSIGN_OR_RETURN(held, Shared<HeldWeights>::Make(std::move(weights)));
  return MakeHandle(lacuna_weights{std::move(held)}, out);
}

namespace {

// Project or Cover.
using ByScheme = Result<AnyWeights<float>> (*)(const DenseWeights<float>&, const prune::Scheme&, int64_t);

// lacuna_matrix and the name of a scheme, checked.
struct Layer {
  MatrixShape shape;
  int64_t taps;
  prune::Scheme scheme;
};
Result<Layer> ReadLayer(const lacuna_matrix* matrix, const char* scheme) {
  LACUNA_ASSIGN_OR_RETURN(fields, ReadRequired("matrix", matrix));
  LACUNA_RETURN_IF_ERROR(NotNull("scheme", scheme));
  const MatrixShape shape{
      .rows = fields.rows, .columns = fields.columns, .groups = fields.groups == 0 ? 1 : fields.groups};
  LACUNA_RETURN_IF_ERROR(shape.Validate());
  const int64_t taps = fields.taps == 0 ? 1 : fields.taps;
  if (taps < 1 || shape.columns % taps != 0) {
    return Status::InvalidArgument("matrix.taps is %lld, must be at least 1 and divide columns, %lld",
                                   static_cast<long long>(taps), static_cast<long long>(shape.columns));
  }
  LACUNA_ASSIGN_OR_RETURN(parsed, prune::ParseScheme(scheme));
  return Layer{shape, taps, parsed};
}

Status MakeByScheme(const float* dense, const lacuna_matrix* matrix, const char* scheme, ByScheme make,
                    lacuna_weights** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("dense", dense));
  LACUNA_ASSIGN_OR_RETURN(layer, ReadLayer(matrix, scheme));
  LACUNA_RETURN_IF_ERROR(NotNull("weights", out));
  const auto elements = static_cast<size_t>(layer.shape.elements());
  LACUNA_ASSIGN_OR_RETURN(view, DenseWeights<float>::View(layer.shape, std::span(dense, elements)));
  LACUNA_ASSIGN_OR_RETURN(made, make(view, layer.scheme, layer.taps));
  return MakeWeights({.file = {}, .weights = std::move(made)}, out);
}

Status Units(const lacuna_matrix* matrix, const char* scheme, lacuna_units* out) {
  LACUNA_ASSIGN_OR_RETURN(layer, ReadLayer(matrix, scheme));
  LACUNA_ASSIGN_OR_RETURN(asked, ReadRequired("units", out));
  if (layer.scheme.channel_group != 1) {
    return Status::Make(StatusCode::kUnsupported, "scheme \"%s\" has groups of channels, whose units are not described",
                        layer.scheme.Name().c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(of, prune::SupportUnitsOf(layer.scheme, layer.shape, layer.taps));
  lacuna_units units{};
  units.struct_size = asked.struct_size;
  units.block_rows = of.block.rows;
  units.block_columns = of.block.columns;
  units.run = of.run;
  units.cycle = of.cycle;
  units.cells = of.patterns ? of.patterns->cells : 0;
  units.rows = of.row_keep < 1.0;
  units.every_block = of.budget == prune::Budget::kPerBlock;
  std::memcpy(out, &units, std::min(asked.struct_size, sizeof(units)));
  return Status();
}

const char* FormatName(const HeldWeights& held) {
  if (held.packed() != nullptr) return BlobKindName(BlobKind::kPacked);
  return held.format()->Visit(
      [](const auto& weights) { return BlobKindName(BlobAccess::Kind<std::remove_cvref_t<decltype(weights)>>()); });
}

Status Describe(const lacuna_weights* weights, lacuna_weights_info* out) {
  LACUNA_ASSIGN_OR_RETURN(held, Held("weights", weights));
  LACUNA_ASSIGN_OR_RETURN(asked, ReadRequired("info", out));
  const HeldWeights& of = *held;
  lacuna_weights_info info{};
  info.struct_size = asked.struct_size;
  info.format = FormatName(of);
  info.target = of.packed() != nullptr ? TargetName(of.target) : "";
  const MatrixShape shape = of.ref().shape();
  info.rows = shape.rows;
  info.columns = shape.columns;
  info.groups = shape.groups;
  info.nnz = of.packed() != nullptr ? (*of.packed())->nnz : of.format()->nnz();
  info.bytes = of.packed() != nullptr ? (*of.packed())->StorageBytes() : of.format()->StorageBytes();
  std::memcpy(out, &info, std::min(asked.struct_size, sizeof(info)));
  return Status();
}

Status ToDense(const lacuna_weights* weights, float* dense, size_t count) {
  LACUNA_ASSIGN_OR_RETURN(held, HeldFormat("weights", weights, "lacuna_weights_to_dense"));
  LACUNA_RETURN_IF_ERROR(NotNull("dense", dense));
  const auto elements = static_cast<size_t>(held->format()->shape().elements());
  if (count != elements) {
    return Status::InvalidArgument("count is %zu, must be rows * columns = %zu", count, elements);
  }
  LACUNA_ASSIGN_OR_RETURN(expanded, held->format()->ToDense());
  std::copy(expanded.values().begin(), expanded.values().end(), dense);
  return Status();
}

Status Pack(const lacuna_weights* weights, const lacuna_conv_shape* shape, const lacuna_plan_options* options,
            lacuna_weights** out) {
  LACUNA_ASSIGN_OR_RETURN(held, HeldFormat("weights", weights, "lacuna_pack"));
  LACUNA_ASSIGN_OR_RETURN(choice, ReadStruct("options", options));
  LACUNA_RETURN_IF_ERROR(NotNull("packed", out));
  const LayerWeights ref = held->ref();
  const auto pack = [&](const auto& policy) -> Result<Shared<PackedWeights<float>>> {
    if (shape == nullptr) return PackWeights(ref, policy);
    LACUNA_ASSIGN_OR_RETURN(fields, ReadStruct("shape", shape));
    return WithShape(fields, [&](const auto& layer) { return PackWeights(ref, layer, policy); });
  };
  LACUNA_ASSIGN_OR_RETURN(packed, WithPolicy(choice, pack));
  return MakeWeights({.file = {}, .weights = std::move(packed), .target = ActiveTarget()}, out);
}

size_t BlobBytes(const HeldWeights& held) {
  if (held.packed() != nullptr) return SerializedBytes(**held.packed());
  return held.format()->Visit([](const auto& weights) { return SerializedBytes(weights); });
}

Status WriteBlob(const HeldWeights& held, std::span<std::byte> out) {
  if (held.packed() != nullptr) return Serialize(**held.packed(), out, TargetName(held.target));
  return held.format()->Visit([&](const auto& weights) { return Serialize(weights, out); });
}

// `bytes` lie in `file`, or, if that is empty, are the caller's.
Status ViewBlob(std::span<const std::byte> bytes, Buffer<std::byte> file, lacuna_weights** out) {
  LACUNA_ASSIGN_OR_RETURN(kind, PeekKind(bytes));
  if (IsPacked(kind)) {
    LACUNA_ASSIGN_OR_RETURN(packed, ViewPackedWeights(bytes));
    return MakeWeights({.file = std::move(file), .weights = std::move(packed), .target = ActiveTarget()}, out);
  }
  LACUNA_ASSIGN_OR_RETURN(weights, AnyWeights<float>::View(bytes));
  return MakeWeights({.file = std::move(file), .weights = std::move(weights)}, out);
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Status Save(const lacuna_weights* weights, const char* path) {
  LACUNA_ASSIGN_OR_RETURN(held, Held("weights", weights));
  LACUNA_RETURN_IF_ERROR(NotNull("path", path));
  LACUNA_ASSIGN_OR_RETURN(bytes, Buffer<std::byte>::Make(BlobBytes(*held)));
  LACUNA_RETURN_IF_ERROR(WriteBlob(*held, {bytes.data(), bytes.size()}));
  File file(std::fopen(path, "wb"));
  if (!file) return Status::Make(StatusCode::kNotFound, "path: cannot write %.150s", path);
  const size_t written = std::fwrite(bytes.data(), 1, bytes.size(), file.get());
  if (std::fclose(file.release()) != 0 || written != bytes.size()) {
    return Status::Make(StatusCode::kDataLoss, "path: not all of %zu bytes could be written to %.150s", bytes.size(),
                        path);
  }
  return Status();
}

Status Load(const char* path, lacuna_weights** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("path", path));
  LACUNA_RETURN_IF_ERROR(NotNull("weights", out));
  File file(std::fopen(path, "rb"));
  if (!file) return Status::Make(StatusCode::kNotFound, "path: cannot read %.150s", path);
  // The header first: what is no blob, a directory among them, is not asked for its size.
  std::array<std::byte, sizeof(blob::Header)> header;
  const size_t read = std::fread(header.data(), 1, header.size(), file.get());
  LACUNA_RETURN_IF_ERROR(PeekKind(std::span(header).first(read)).status());
  if (std::fseek(file.get(), 0, SEEK_END) != 0) {
    return Status::Make(StatusCode::kDataLoss, "path: cannot find the end of %.150s", path);
  }
  const long size = std::ftell(file.get());
  if (size < 0 || std::fseek(file.get(), 0, SEEK_SET) != 0) {
    return Status::Make(StatusCode::kDataLoss, "path: cannot find the end of %.150s", path);
  }
  LACUNA_ASSIGN_OR_RETURN(bytes, Buffer<std::byte>::Make(static_cast<size_t>(size)));
  if (std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) {
    return Status::Make(StatusCode::kDataLoss, "path: not all of %zu bytes could be read from %.150s", bytes.size(),
                        path);
  }
  const std::span<const std::byte> view = bytes;
  return ViewBlob(view, std::move(bytes), out);
}

Status Write(const lacuna_weights* weights, void* bytes, size_t count) {
  LACUNA_ASSIGN_OR_RETURN(held, Held("weights", weights));
  LACUNA_RETURN_IF_ERROR(NotNull("bytes", bytes));
  return WriteBlob(*held, {static_cast<std::byte*>(bytes), count});
}

Status View(const void* bytes, size_t count, lacuna_weights** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("bytes", bytes));
  LACUNA_RETURN_IF_ERROR(NotNull("weights", out));
  return ViewBlob({static_cast<const std::byte*>(bytes), count}, {}, out);
}

}  // namespace

}  // namespace lacuna::inline LACUNA_ABI::c

lacuna_status lacuna_prune(const float* dense, const lacuna_matrix* matrix, const char* scheme,
                           lacuna_weights** weights) {
  return lacuna::c::Report(lacuna::c::MakeByScheme(dense, matrix, scheme, &lacuna::prune::Project<float>, weights));
}
lacuna_status lacuna_cover(const float* dense, const lacuna_matrix* matrix, const char* scheme,
                           lacuna_weights** weights) {
  return lacuna::c::Report(lacuna::c::MakeByScheme(dense, matrix, scheme, &lacuna::prune::Cover<float>, weights));
}

lacuna_status lacuna_scheme_units(const lacuna_matrix* matrix, const char* scheme, lacuna_units* units) {
  return lacuna::c::Report(lacuna::c::Units(matrix, scheme, units));
}
void lacuna_weights_destroy(lacuna_weights* weights) { delete weights; }

lacuna_status lacuna_weights_describe(const lacuna_weights* weights, lacuna_weights_info* info) {
  return lacuna::c::Report(lacuna::c::Describe(weights, info));
}
lacuna_status lacuna_weights_to_dense(const lacuna_weights* weights, float* dense, size_t count) {
  return lacuna::c::Report(lacuna::c::ToDense(weights, dense, count));
}

lacuna_status lacuna_pack(const lacuna_weights* weights, const lacuna_conv_shape* shape,
                          const lacuna_plan_options* options, lacuna_weights** packed) {
  return lacuna::c::Report(lacuna::c::Pack(weights, shape, options, packed));
}

size_t lacuna_weights_blob_bytes(const lacuna_weights* weights) {
  return weights == nullptr ? 0 : lacuna::c::BlobBytes(*weights->held);
}
lacuna_status lacuna_weights_write(const lacuna_weights* weights, void* bytes, size_t count) {
  return lacuna::c::Report(lacuna::c::Write(weights, bytes, count));
}
lacuna_status lacuna_weights_view(const void* bytes, size_t count, lacuna_weights** weights) {
  return lacuna::c::Report(lacuna::c::View(bytes, count, weights));
}
lacuna_status lacuna_weights_save(const lacuna_weights* weights, const char* path) {
  return lacuna::c::Report(lacuna::c::Save(weights, path));
}
lacuna_status lacuna_weights_load(const char* path, lacuna_weights** weights) {
  return lacuna::c::Report(lacuna::c::Load(path, weights));
}
