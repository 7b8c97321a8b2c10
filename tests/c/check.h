/* Checks for programs in C: they count, print what fails, and go on. */

#ifndef LACUNA_TESTS_C_CHECK_H_
#define LACUNA_TESTS_C_CHECK_H_

#include <lacuna/c/lacuna.h>

#include <stddef.h>
#include <stdint.h>

void check(int holds, const char* text, const char* file, int line);
#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)

/* The call has `code`, and the message of the error has `part` in it. */
void check_status(lacuna_status status, lacuna_status code, const char* part, const char* file, int line);
#define CHECK_OK(call) check_status((call), LACUNA_OK, "", __FILE__, __LINE__)
#define CHECK_INVALID(call, part) check_status((call), LACUNA_INVALID_ARGUMENT, (part), __FILE__, __LINE__)
#define CHECK_ERROR(call, code, part) check_status((call), (code), (part), __FILE__, __LINE__)

/* A struct of zeros that knows its size: INIT(lacuna_epilogue, epilogue); */
#define INIT(type, name) type name = {.struct_size = sizeof(type)}

/* Zeroed memory of exactly that size, so that sanitizers see what is read beyond it; ends the program if there is none. */
float* floats(size_t count);
void* bytes(size_t count);
/* Small integers: sums of some thousand products of them are exact. */
void fill(float* values, size_t count, unsigned seed);
/* The largest difference. */
double difference(const float* a, const float* b, size_t count);

/* The tests, a file each. */
void test_layout(void);
void test_weights(void);
void test_blobs(void);
void test_convolution(void);
void test_products(void);
void test_recurrent(void);
void test_threads(void);

#endif /* LACUNA_TESTS_C_CHECK_H_ */
