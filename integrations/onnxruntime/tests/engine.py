"""ONNX Runtime from Python by its C interface, to run models with the operators of lacuna: the engine that npm's
onnxruntime-node brings has no other way to be given a library of operators."""

import ctypes
import glob
import os

import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
LIBRARIES = "build/models/node_modules/onnxruntime-node/bin/napi-v*/linux/*/libonnxruntime.so*"
VERSION = 17
_FLOAT, _INT32, _INT64 = 1, 6, 7
_TYPES = {_FLOAT: np.float32, _INT32: np.int32, _INT64: np.int64}

_pointer = ctypes.c_void_p
_text = ctypes.c_char_p
_size = ctypes.c_size_t


def library_path():
    """Of the engine: LACUNA_ONNXRUNTIME, or where examples/models/fetch.sh --ort puts it; None if it is not there."""
    named = os.environ.get("LACUNA_ONNXRUNTIME")
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine, "")
    found = [named] if named else sorted(p for p in glob.glob(os.path.join(ROOT, LIBRARIES)) if f"/{machine}/" in p)
    return found[0] if found else None


class EngineError(RuntimeError):
    """What the engine, or an operator in it, refuses."""


class Engine:
    """The table of functions, each called by its place."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.library.OrtGetApiBase.restype = _pointer
        base = ctypes.cast(self.library.OrtGetApiBase(), ctypes.POINTER(_pointer))
        table = ctypes.CFUNCTYPE(_pointer, ctypes.c_uint32)(base[0])(VERSION)
        if not table:
            raise EngineError(f"{path} is older than version {VERSION} of the interface")
        self.table = ctypes.cast(table, ctypes.POINTER(_pointer))
        self.version = ctypes.CFUNCTYPE(_text)(base[1])().decode()
        self.environment = self.make(3, ctypes.c_int(4), b"lacuna")  # says nothing but what it raises

    def function(self, place, *types, result=_pointer):
        return ctypes.CFUNCTYPE(result, *types)(self.table[place])

    def check(self, status):
        if status:
            message = self.function(2, _pointer, result=_text)(status).decode()
            self.function(93, _pointer, result=None)(status)
            raise EngineError(message)

    def call(self, place, *arguments):
        types = [type(a) if isinstance(a, ctypes._SimpleCData) else _text if isinstance(a, bytes) else _pointer
                 for a in arguments]
        self.check(self.function(place, *types)(*arguments))

    def make(self, place, *arguments):
        """Calls what writes a pointer through its last argument."""
        made = _pointer()
        self.call(place, *arguments, ctypes.byref(made))
        return made


class Session:
    """A model, on so many threads, with a library of operators."""

    def __init__(self, engine, model, operators=None, threads=1, profile=None, optimized=None):
        self.engine = engine
        options = engine.make(10)
        engine.call(23, options, ctypes.c_int(99))  # all optimisations
        engine.call(24, options, ctypes.c_int(threads))
        if profile:
            engine.call(14, options, os.fsencode(profile))
        if operators:
            engine.make(29, options, os.fsencode(operators))  # the handle of the library, which stays loaded
        self.session = engine.make(7, engine.environment, os.fsencode(model), options)
        self.allocator = engine.make(78)
        self.memory = engine.make(69, ctypes.c_int(1), ctypes.c_int(0))
        self.inputs, self.outputs = (self._names(count, name) for count, name in ((30, 36), (31, 37)))
        self._run = engine.function(9, *[_pointer] * 4, _size, _pointer, _size, _pointer)

    def _names(self, count_place, name_place):
        count = _size()
        self.engine.call(count_place, self.session, ctypes.byref(count))
        names = [self.engine.make(name_place, self.session, _size(i), self.allocator) for i in range(count.value)]
        return [ctypes.cast(name, _text).value for name in names]

    def bind(self, arrays):
        """A function that runs the model on `arrays`, in the order of its inputs, and gives the engine's outputs."""
        values = (_pointer * len(arrays))()
        keep = []
        for i, array in enumerate(arrays):
            array = np.ascontiguousarray(array)
            element = next(number for number, dtype in _TYPES.items() if dtype == array.dtype)
            extents = (ctypes.c_int64 * array.ndim)(*array.shape)
            values[i] = self.engine.make(49, self.memory, _pointer(array.ctypes.data), _size(array.nbytes), extents,
                                         _size(array.ndim), ctypes.c_int(element))
            keep.append(array)
        inputs = (_text * len(self.inputs))(*self.inputs)
        outputs = (_text * len(self.outputs))(*self.outputs)
        release = self.engine.function(96, _pointer, result=None)

        def run():
            results = (_pointer * len(self.outputs))()
            self.engine.check(self._run(self.session, None, inputs, values, len(arrays), outputs, len(results), results))
            arrays_out = [self._array(value) for value in results]
            for value in results:
                release(value)
            return arrays_out

        run.keep = keep
        return run

    def run(self, *arrays):
        return self.bind(arrays)()

    def _array(self, value):
        info = self.engine.make(65, _pointer(value))
        rank, element = _size(), ctypes.c_int()
        self.engine.call(61, info, ctypes.byref(rank))
        self.engine.call(60, info, ctypes.byref(element))
        extents = (ctypes.c_int64 * rank.value)()
        self.engine.call(62, info, extents, rank)
        self.engine.function(99, _pointer, result=None)(info)
        data = self.engine.make(51, _pointer(value))
        dtype = _TYPES[element.value]
        count = int(np.prod(extents[:]))
        memory = (ctypes.c_char * (count * dtype().itemsize)).from_address(data.value) if count else b""
        return np.frombuffer(memory, dtype).reshape(extents[:]).copy()

    def end_profile(self):
        """The file that the profile was written to."""
        name = self.engine.make(110, self.session, self.allocator)
        return ctypes.cast(name, _text).value.decode()
