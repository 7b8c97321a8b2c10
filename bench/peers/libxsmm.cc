// libxsmm: generated kernels over blocked matrices, and spmdm, its sparse (16-bit CSR slices) times dense
// product.

#include <libxsmm.h>

#include <algorithm>

#include "peers/peers.h"

namespace lacuna::bench {
namespace {

void InitializeOnce(const Settings& settings) {
  static const bool done = [&settings] {
    libxsmm_init();
    if (settings.instruction_set == InstructionSet::kAvx2) libxsmm_set_target_arch("hsw");
    if (settings.instruction_set == InstructionSet::kSse4) libxsmm_set_target_arch("wsm");
    return true;
  }();
  static_cast<void>(done);
}

// The blocks must divide the extents: the largest divisor up to `limit`.
libxsmm_blasint BlockOf(int64_t extent, int64_t limit) {
  int64_t block = std::min(extent, limit);
  while (extent % block != 0) --block;
  return static_cast<libxsmm_blasint>(block);
}

// Column-major C[M, N] = A[M, K] B[K, N] with A = W, so C is Y channels-last and output channels go across lanes. A, B
// and C are cut into blocks, each contiguous, as in libxsmm's own layers; a batch-reduce kernel sums over the blocks of
// K in registers.
class LibxsmmEngine : public Engine {
 public:
  struct Blocks {
    libxsmm_blasint m = 0, n = 0, k = 0;  // extents of a block
    int64_t m_count = 0, n_count = 0, k_count = 0;
  };

  LibxsmmEngine(libxsmm_smmfunction_reducebatch_strd kernel, const Blocks& blocks, Buffer<float> a, Buffer<float> b,
                Buffer<float> c)
      : kernel_(kernel), blocks_(blocks), a_(std::move(a)), b_(std::move(b)), c_(std::move(c)) {}

  void Run() override {
    const Blocks& s = blocks_;
    const auto count = static_cast<unsigned long long>(s.k_count);
    for (int64_t i = 0; i < s.m_count; ++i) {
      for (int64_t j = 0; j < s.n_count; ++j) {
        kernel_(a_.data() + i * s.k_count * s.m * s.k, b_.data() + j * s.k_count * s.k * s.n,
                c_.data() + (j * s.m_count + i) * s.m * s.n, &count);
      }
    }
  }
  void CopyOutput(std::span<float> planar) const override {
    const Blocks& s = blocks_;
    const int64_t pixels = s.n * s.n_count;
    for (int64_t i = 0; i < s.m * s.m_count; ++i) {
      for (int64_t j = 0; j < pixels; ++j) {
        const float* block = c_.data() + (j / s.n * s.m_count + i / s.m) * s.m * s.n;
        planar[static_cast<size_t>(i * pixels + j)] = block[j % s.n * s.m + i % s.m];
      }
    }
  }

 private:
  libxsmm_smmfunction_reducebatch_strd kernel_;
  Blocks blocks_;
  Buffer<float> a_, b_, c_;
};

// Blocks [row block][column block] of a row-major rows x columns matrix, each column-major.
void CopyToBlocks(const float* from, int64_t rows, int64_t columns, int64_t block_rows, int64_t block_columns,
                  bool column_blocks_outermost, float* to) {
  const int64_t row_blocks = rows / block_rows, column_blocks = columns / block_columns;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t row_block = i / block_rows, column_block = j / block_columns;
      const int64_t block =
          column_blocks_outermost ? column_block * row_blocks + row_block : row_block * column_blocks + column_block;
      to[block * block_rows * block_columns + j % block_columns * block_rows + i % block_rows] = from[i * columns + j];
    }
  }
}

Result<EnginePointer> MakeLibxsmm(const Problem& problem, const Settings& settings, const EngineInfo&) {
  InitializeOnce(settings);
  const int64_t m = problem.shape.out_channels, k = problem.shape.in_channels, n = problem.shape.positions();
  LibxsmmEngine::Blocks s{.m = BlockOf(m, 64), .n = BlockOf(n, 64), .k = BlockOf(k, 64)};
  s.m_count = m / s.m;
  s.n_count = n / s.n;
  s.k_count = k / s.k;
  const float one = 1.0f, zero = 0.0f;
  const auto bytes = [](libxsmm_blasint rows, libxsmm_blasint columns) {
    return rows * columns * static_cast<libxsmm_blasint>(sizeof(float));
  };
  const libxsmm_smmfunction_reducebatch_strd kernel = libxsmm_smmdispatch_reducebatch_strd(
      s.m, s.n, s.k, bytes(s.m, s.k), bytes(s.k, s.n), &s.m, &s.k, &s.m, &one, &zero,
      /*flags=*/nullptr, /*prefetch=*/nullptr);
  if (kernel == nullptr) return Status::Make(StatusCode::kUnsupported, "libxsmm generates no kernel of these extents");
  LACUNA_ASSIGN_OR_RETURN(a, Buffer<float>::Make(static_cast<size_t>(m * k)));
  LACUNA_ASSIGN_OR_RETURN(b, Buffer<float>::Make(static_cast<size_t>(k * n)));
  LACUNA_ASSIGN_OR_RETURN(c, Buffer<float>::Make(static_cast<size_t>(m * n)));
  CopyToBlocks(problem.weights.data(), m, k, s.m, s.k, /*column_blocks_outermost=*/false, a.data());
  CopyToBlocks(problem.input.data(), k, n, s.k, s.n, /*column_blocks_outermost=*/true, b.data());
  return EnginePointer(std::make_unique<LibxsmmEngine>(kernel, s, std::move(a), std::move(b), std::move(c)));
}

class SpmdmEngine : public Engine {
 public:
  SpmdmEngine(std::span<const float> weights, Activations x, Activations y) : x_(std::move(x)), y_(std::move(y)) {
    libxsmm_spmdm_init(static_cast<int>(y_.channels()), static_cast<int>(x_.pixels()), static_cast<int>(x_.channels()),
                       /*max_threads=*/1, &handle_, &slices_);
    const int blocks = libxsmm_spmdm_get_num_createSparseSlice_blocks(&handle_);
    for (int block = 0; block < blocks; ++block) {
      libxsmm_spmdm_createSparseSlice_fp32_thread(&handle_, 'N', weights.data(), slices_, block, /*tid=*/0,
                                                  /*nthreads=*/1);
    }
  }
  ~SpmdmEngine() override { libxsmm_spmdm_destroy(&handle_); }
  SpmdmEngine(const SpmdmEngine&) = delete;
  SpmdmEngine& operator=(const SpmdmEngine&) = delete;

  void Run() override {
    const float alpha = 1.0f, beta = 0.0f;
    const char transpose = x_.channels_last() ? 'T' : 'N';
    const int blocks = libxsmm_spmdm_get_num_compute_blocks(&handle_);
    for (int block = 0; block < blocks; ++block) {
      libxsmm_spmdm_compute_fp32_thread(&handle_, 'N', transpose, &alpha, slices_, x_.data(), transpose, &beta,
                                        y_.data(), block, /*tid=*/0, /*nthreads=*/1);
    }
  }
  void CopyOutput(std::span<float> planar) const override { y_.CopyTo(planar); }

 private:
  libxsmm_spmdm_handle handle_{};
  libxsmm_CSR_sparseslice* slices_ = nullptr;
  Activations x_;
  Activations y_;
};

Result<EnginePointer> MakeSpmdm(const Problem& problem, const Settings& settings, const EngineInfo&) {
  InitializeOnce(settings);
  LACUNA_ASSIGN_OR_RETURN(x, Activations::InputOf(problem, problem.channels_last));
  LACUNA_ASSIGN_OR_RETURN(y, Activations::OutputOf(problem, problem.channels_last));
  return EnginePointer(std::make_unique<SpmdmEngine>(problem.weights, std::move(x), std::move(y)));
}

}  // namespace

std::vector<EngineInfo> LibxsmmEngines() {
  return {{.name = "libxsmm", .supports = &IsGemm, .make = &MakeLibxsmm},
          {.name = "libxsmm_spmdm", .dense = false, .pruned = true, .supports = &IsGemm, .make = &MakeSpmdm}};
}

}  // namespace lacuna::bench
