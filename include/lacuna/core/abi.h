// LACUNA_ABI, LACUNA_FUNC and LACUNA_COLD_FUNC: header-only or against the compiled library, from the same headers.

#ifndef LACUNA_CORE_ABI_H_
#define LACUNA_CORE_ABI_H_

// Header-only, a function that is no template is defined by the .ipp file that its header includes, as an inline
// function. The target lacuna::compiled defines LACUNA_COMPILED: headers only declare then, and the library holds the
// definitions. The scheme is that of Asio (ASIO_SEPARATE_COMPILATION) and {fmt} (FMT_HEADER_ONLY).
//
// LACUNA_ABI is the inline namespace that everything is in. It differs between the two ways, so that units of both
// kinds may be linked into one program: each kind uses functions of its own, and an object that is passed from one to
// the other is an error at link time. It changes with every version whose objects have another layout.
#ifdef LACUNA_COMPILED
#define LACUNA_ABI compiled_v0
#define LACUNA_FUNC
#else
#define LACUNA_ABI header_only_v0
#define LACUNA_FUNC inline
#endif

// What runs once a plan, not once a Run: smaller code, which takes a header-only unit less time to compile.
#ifdef __GNUC__
#define LACUNA_COLD_FUNC __attribute__((cold)) LACUNA_FUNC
#else
#define LACUNA_COLD_FUNC LACUNA_FUNC
#endif

// What the shared library exports.
#if defined(LACUNA_COMPILED) && defined(__GNUC__)
#define LACUNA_API __attribute__((visibility("default")))
#else
#define LACUNA_API
#endif

// LACUNA_INSTANCE(class LACUNA_API X<float>); stands behind a template and instantiates it for a standard value type:
// the library defines the instance (its units define LACUNA_DEFINE_INSTANCES), other units only declare it.
// Header-only, and with any other type, each unit instantiates what it uses.
#if !defined(LACUNA_COMPILED)
#define LACUNA_INSTANCE(...) static_assert(true)
#elif defined(LACUNA_DEFINE_INSTANCES)
#define LACUNA_INSTANCE(...) template __VA_ARGS__
#else
#define LACUNA_INSTANCE(...) extern template __VA_ARGS__
#endif

#endif  // LACUNA_CORE_ABI_H_
