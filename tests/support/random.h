// Seeded test data.

#ifndef LACUNA_TESTS_SUPPORT_RANDOM_H_
#define LACUNA_TESTS_SUPPORT_RANDOM_H_

#include <cstdint>
#include <random>
#include <span>

namespace lacuna::test {

// Integers in [-magnitude, magnitude]. Sums of their products are exact in float, whatever the order, as long as
// terms * magnitude^2 < 2^24: results can be compared for equality.
inline void FillIntegers(std::span<float> values, uint32_t seed, int magnitude = 4) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(-magnitude, magnitude);
  for (float& value : values) value = static_cast<float>(distribution(generator));
}

// Gaussian with mean 0.
inline void FillGaussian(std::span<float> values, uint32_t seed, float deviation = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution(0.0f, deviation);
  for (float& value : values) value = distribution(generator);
}

// Sets each value to zero with probability 1 - density. A density of 0 or 1 is exact.
inline void Thin(std::span<float> values, uint32_t seed, double density) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution keep(density);
  for (float& value : values) {
    if (!keep(generator)) value = 0.0f;
  }
}

}  // namespace lacuna::test

#endif  // LACUNA_TESTS_SUPPORT_RANDOM_H_
