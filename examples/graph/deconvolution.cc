#include "graph/deconvolution.h"

#include <algorithm>
#include <string>
#include <utility>

#include "graph/attributes.h"

namespace graph {
namespace {

// Keeps every product of two of them inside 64 bits.
constexpr int64_t kMaxGeometry = (int64_t{1} << 31) - 1;

Result<Shape> Entries(const Node& node, const char* name, const Shape& fallback, int64_t least) {
  LACUNA_ASSIGN_OR_RETURN(values, IntsAttribute(node, name, fallback));
  const bool valid = values.size() == fallback.size() && std::all_of(values.begin(), values.end(), [&](int64_t value) {
                       return value >= least && value <= kMaxGeometry;
                     });
  if (valid) return std::move(values);
  return Status::InvalidArgument("%s: attribute '%s' is %s, must have %zu entries in [%lld, %lld]",
                                 node.Label().c_str(), name, ToString(values).c_str(), fallback.size(),
                                 static_cast<long long>(least), static_cast<long long>(kMaxGeometry));
}

// An index into several axes, counted up with the last one fastest; false after the last.
bool Next(const Shape& extents, Shape& index) {
  for (size_t axis = extents.size(); axis-- > 0;) {
    if (++index[axis] < extents[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

}  // namespace

int64_t Deconvolution::Taps(size_t axis) const {
  return ((kernel[axis] - 1) * dilation[axis] + stride[axis]) / stride[axis];  // ceil(reach / stride)
}

int64_t Deconvolution::PadBegin(size_t axis) const { return std::max<int64_t>(0, Taps(axis) - 1 - First(axis)); }

int64_t Deconvolution::Computed(size_t axis) const {
  const int64_t end = (output[axis] + pad_begin[axis] + stride[axis] - 1) / stride[axis];  // of all phases
  const int64_t begin = Taps(axis) - 1 - PadBegin(axis);
  // The convolution cannot leave out inputs at the end.
  return std::max(end - begin, input[axis] + PadBegin(axis) - (Taps(axis) - 1));
}

int64_t Deconvolution::PadEnd(size_t axis) const {
  return Computed(axis) - (input[axis] + PadBegin(axis) - (Taps(axis) - 1));
}

int64_t Deconvolution::Phases() const { return Elements(stride); }

bool Deconvolution::IsPlain() const {
  for (size_t axis = 0; axis < rank(); ++axis) {
    if (stride[axis] != 1 || Computed(axis) != output[axis] || First(axis) != Taps(axis) - 1 - PadBegin(axis)) {
      return false;
    }
  }
  return true;
}

namespace {

// Calls f(stored, row) for each place of the matrix that has a weight: their indices in both.
template <class F>
void ForEachWeight(const Deconvolution& d, const F& f) {
  Shape taps;
  for (size_t axis = 0; axis < d.rank(); ++axis) taps.push_back(d.Taps(axis));
  const int64_t cells = Elements(d.kernel), depth = Elements(taps), phases = d.Phases();
  // Which cell of the kernel a phase has at a tap, or none.
  std::vector<std::pair<int64_t, int64_t>> places;  // (cell, phase * depth + tap)
  Shape phase(d.rank(), 0);
  int64_t at = 0;
  do {
    Shape tap(d.rank(), 0);
    do {
      int64_t cell = 0;
      bool exists = true;
      for (size_t axis = 0; axis < d.rank() && exists; ++axis) {
        const int64_t position = phase[axis] + d.stride[axis] * (taps[axis] - 1 - tap[axis]);
        exists = position % d.dilation[axis] == 0 && position / d.dilation[axis] < d.kernel[axis];
        cell = cell * d.kernel[axis] + position / d.dilation[axis];
      }
      if (exists) places.emplace_back(cell, at);
      ++at;
    } while (Next(taps, tap));
  } while (Next(d.stride, phase));
  for (int64_t group = 0; group < d.groups; ++group) {
    for (int64_t ic = 0; ic < d.in_per_group; ++ic) {
      for (int64_t oc = 0; oc < d.out_per_group; ++oc) {
        const int64_t stored = ((group * d.in_per_group + ic) * d.out_per_group + oc) * cells;
        for (const auto& [cell, place] : places) {
          const int64_t row = (group * d.out_per_group + oc) * phases + place / depth;
          f(static_cast<size_t>(stored + cell),
            static_cast<size_t>((row * d.in_per_group + ic) * depth + place % depth));
        }
      }
    }
  }
}

}  // namespace

std::vector<float> Deconvolution::ToRows(std::span<const float> stored) const {
  int64_t depth = 1;
  for (size_t axis = 0; axis < rank(); ++axis) depth *= Taps(axis);
  std::vector<float> rows(static_cast<size_t>(groups * out_per_group * Phases() * in_per_group * depth));
  ForEachWeight(*this, [&](size_t from, size_t to) { rows[to] = stored[from]; });
  return rows;
}

std::vector<float> Deconvolution::FromRows(std::span<const float> rows) const {
  std::vector<float> stored(static_cast<size_t>(groups * in_per_group * out_per_group * Elements(kernel)));
  ForEachWeight(*this, [&](size_t to, size_t from) { stored[to] = rows[from]; });
  return stored;
}

void Deconvolution::Shuffle(const float* phases, float* y) const {
  Shape computed, first;
  for (size_t axis = 0; axis < rank(); ++axis) {
    computed.push_back(Computed(axis));
    first.push_back(Taps(axis) - 1 - PadBegin(axis));  // which output of a phase the convolution's first one is
  }
  const size_t last = rank() - 1;
  const int64_t plane = Elements(computed), columns = output[last];
  Shape row_extents(output.begin(), output.end() - 1);
  Shape row(last, 0);
  do {
    int64_t phase = 0, line = 0;
    for (size_t axis = 0; axis < last; ++axis) {
      const int64_t position = row[axis] + pad_begin[axis];
      phase = phase * stride[axis] + position % stride[axis];
      line = line * computed[axis] + position / stride[axis] - first[axis];
    }
    for (int64_t p = 0; p < stride[last]; ++p) {
      const float* from = phases + (phase * stride[last] + p) * plane + line * computed[last];
      // The first output of this phase.
      int64_t o = p - pad_begin[last] % stride[last];
      if (o < 0) o += stride[last];
      from += (o + pad_begin[last]) / stride[last] - first[last];
      for (; o < columns; o += stride[last]) y[o] = *from++;
    }
    y += columns;
  } while (Next(row_extents, row));
}

Result<Deconvolution> DeconvolutionOf(const Node& node, const Shape& x, const Shape& w) {
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return Status::Make(StatusCode::kUnsupported,
                        "%s: its input and weights have shapes %s and %s, supported are 1 to 3 spatial axes of both",
                        node.Label().c_str(), ToString(x).c_str(), ToString(w).c_str());
  }
  const size_t rank = x.size() - 2;
  Deconvolution d;
  d.input.assign(x.begin() + 2, x.end());
  d.kernel.assign(w.begin() + 2, w.end());
  LACUNA_ASSIGN_OR_RETURN(groups, IntAttribute(node, "group", 1));
  if (groups < 1 || x[1] != w[0] || x[1] % groups != 0 || x[1] < 1 || w[1] < 1) {
    return Status::InvalidArgument("%s: weights %s and group %lld do not fit the %lld input channels",
                                   node.Label().c_str(), ToString(w).c_str(), static_cast<long long>(groups),
                                   static_cast<long long>(x[1]));
  }
  d.groups = groups;
  d.in_per_group = x[1] / groups;
  d.out_per_group = w[1];
  LACUNA_ASSIGN_OR_RETURN(declared, IntsAttribute(node, "kernel_shape", d.kernel));
  if (declared != d.kernel ||
      std::any_of(d.kernel.begin(), d.kernel.end(), [](int64_t extent) { return extent < 1; })) {
    return Status::InvalidArgument("%s: attribute 'kernel_shape' is %s, its weights have %s", node.Label().c_str(),
                                   ToString(declared).c_str(), ToString(d.kernel).c_str());
  }
  LACUNA_ASSIGN_OR_RETURN(stride, Entries(node, "strides", Shape(rank, 1), 1));
  LACUNA_ASSIGN_OR_RETURN(dilation, Entries(node, "dilations", Shape(rank, 1), 1));
  LACUNA_ASSIGN_OR_RETURN(pads, Entries(node, "pads", Shape(2 * rank, 0), 0));
  LACUNA_ASSIGN_OR_RETURN(extra, Entries(node, "output_padding", Shape(rank, 0), 0));
  LACUNA_ASSIGN_OR_RETURN(auto_pad, StringAttribute(node, "auto_pad", "NOTSET"));
  d.stride = stride;
  d.dilation = dilation;
  d.pad_begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID") {
    return Status::InvalidArgument("%s: attribute 'auto_pad' is '%s', must be NOTSET, VALID, SAME_UPPER or SAME_LOWER",
                                   node.Label().c_str(), auto_pad.c_str());
  }
  if (auto_pad == "VALID") pads.assign(2 * rank, 0);
  if (auto_pad == "VALID") d.pad_begin.assign(rank, 0);
  const bool given = node.attributes.contains("output_shape");
  Shape wanted(rank, 0);
  if (given) {
    LACUNA_ASSIGN_OR_RETURN(read, Entries(node, "output_shape", Shape(rank, 0), 1));
    wanted = read;
  }
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t full = stride[axis] * (d.input[axis] - 1) + (d.kernel[axis] - 1) * dilation[axis] + 1 + extra[axis];
    int64_t output = full - pads[axis] - pads[axis + rank];
    if (given || same) {
      output = given ? wanted[axis] : d.input[axis] * stride[axis];
      const int64_t total = std::max<int64_t>(0, full - output);
      d.pad_begin[axis] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    }
    if (output < 1 || output > kMaxTensorElements || d.input[axis] < 1) {
      return Status::InvalidArgument("%s: axis %zu would have %lld outputs, must have 1 to %lld", node.Label().c_str(),
                                     axis + 2, static_cast<long long>(output),
                                     static_cast<long long>(kMaxTensorElements));
    }
    d.output.push_back(output);
    // Phases make channels of an output: their number is bounded as those of a tensor are.
    if (d.Phases() > kMaxTensorElements / std::max<int64_t>(1, d.groups * d.out_per_group) || stride[axis] > 65536) {
      return Status::Make(StatusCode::kUnsupported, "%s: attribute 'strides' is %s, which is too large",
                          node.Label().c_str(), ToString(stride).c_str());
    }
  }
  return d;
}

}  // namespace graph
