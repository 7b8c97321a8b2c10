#include "output_memory.h"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <mutex>
#include <vector>

namespace lacuna_torch {

namespace {

// Smaller ones come from malloc's own lists, which keep their pages.
constexpr size_t kLarge = size_t{1} << 16;
constexpr size_t kMostKept = size_t{1} << 26;

struct Block {
  c10::DataPtr memory;
  size_t bytes;
};

class OutputAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) const override {
    if (bytes < kLarge) return c10::GetCPUAllocator()->allocate(bytes);
    Block* block = Take(bytes);
    if (block == nullptr) block = new Block{c10::GetCPUAllocator()->allocate(bytes), bytes};
    return {block->memory.get(), block, &GiveBack, c10::Device(c10::DeviceType::CPU)};
  }

  // Never destroyed: tensors may outlive everything that is.
  static OutputAllocator& Instance() {
    static auto* const instance = new OutputAllocator;
    return *instance;
  }

 private:
  // The smallest block that is kept and large enough, but not twice as large; null if there is none.
  Block* Take(size_t bytes) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t best = kept_.size();
    for (size_t i = 0; i < kept_.size(); ++i) {
      const size_t size = kept_[i]->bytes;
      if (size >= bytes && size < 2 * bytes && (best == kept_.size() || size < kept_[best]->bytes)) best = i;
    }
    if (best == kept_.size()) return nullptr;
    Block* block = kept_[best];
    kept_[best] = kept_.back();
    kept_.pop_back();
    kept_bytes_ -= block->bytes;
    return block;
  }

  static void GiveBack(void* of) {
    OutputAllocator& allocator = Instance();
    auto* block = static_cast<Block*>(of);
    {
      const std::lock_guard<std::mutex> lock(allocator.mutex_);
      if (allocator.kept_bytes_ + block->bytes <= kMostKept) {
        allocator.kept_.push_back(block);
        allocator.kept_bytes_ += block->bytes;
        return;
      }
    }
    delete block;
  }

  mutable std::mutex mutex_;
  mutable std::vector<Block*> kept_;
  mutable size_t kept_bytes_ = 0;
};

}  // namespace

at::Tensor EmptyOutput(at::IntArrayRef extents, const at::TensorOptions& options, at::MemoryFormat format) {
  const auto bytes = static_cast<size_t>(c10::multiply_integers(extents)) * options.dtype().itemsize();
  if (bytes < kLarge) return at::empty(extents, options, format);
  OutputAllocator& allocator = OutputAllocator::Instance();
  const c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, allocator.allocate(bytes), &allocator,
                             /*resizable=*/true);
  // Strides by a tensor without memory.
  const at::Tensor shape = at::empty(extents, options.device(at::kMeta), format);
  return at::empty({0}, options).set_(storage, 0, extents, shape.strides());
}

}  // namespace lacuna_torch
