"""Builds the wheel: what CMake makes of the library and the package. CMAKE_ARGS are passed on to CMake."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class BuildWithCMake(build_py):
    """The files of the package come from CMake's target lacuna_python."""

    def run(self) -> None:
        build = pathlib.Path(self.get_finalized_command("build").build_temp).resolve() / "cmake"
        options = {"CMAKE_BUILD_TYPE": "Release", "LACUNA_PYTHON": sys.executable, "LACUNA_BUILD_TESTS": "OFF",
                   "LACUNA_BUILD_BENCH": "OFF", "LACUNA_BUILD_EXAMPLES": "OFF", "LACUNA_BUILD_ONNXRUNTIME": "OFF", "LACUNA_INSTALL": "OFF"}
        subprocess.run(["cmake", "-S", ROOT, "-B", build, *(f"-D{name}={value}" for name, value in options.items()),
                        *shlex.split(os.environ.get("CMAKE_ARGS", ""))], check=True)
        subprocess.run(["cmake", "--build", build, "--target", "lacuna_python", "--parallel"], check=True)
        built = build / "integrations" / "python" / "lacuna"
        self.copy_tree(str(built), str(pathlib.Path(self.build_lib) / "lacuna"))


class AnyPython(bdist_wheel):
    """The library does not depend on the version of Python, but on the platform."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple:
        return ("py3", "none", super().get_tag()[2])


class WithLibrary(Distribution):
    """Not of Python alone."""

    def has_ext_modules(self) -> bool:
        return True


VERSION = re.search(r'#define LACUNA_VERSION "([0-9.]+)"', (ROOT / "include/lacuna/version.h").read_text()).group(1)
setup(version=VERSION, packages=["lacuna"], cmdclass={"build_py": BuildWithCMake, "bdist_wheel": AnyPython},
      distclass=WithLibrary)
