"""The environment variables that change how fast a step runs.

They are read by frameworks, by the libraries that they compute with, by the memory allocator and by Python. Workers get
them only if they are asked for, and each result records those that hold.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, Mapping, Tuple

__all__ = ["CHANGE_SPEED", "LEAVE_SPEED", "as_unicode", "changes_speed", "speed_variables", "without_speed_variables"]

CHANGE_SPEED: Tuple[Tuple[str, str], ...] = (
    ("TF_*", "TensorFlow: XLA, oneDNN, autotuning, threads"),
    ("KERAS_*", "Keras"),
    ("TORCH*", "PyTorch: the compiler, distributed training"),
    ("PYTORCH_*", "PyTorch: the allocators, the fuser"),
    ("ATEN_*", "PyTorch: the instruction set of its kernels"),
    ("TRITON_*", "PyTorch's compiler for GPUs"),
    ("JAX_*", "JAX: precision, compilation, the cache of compiled code"),
    ("XLA_*", "XLA: the flags of the compiler, the memory of GPUs"),
    ("PJRT_NPROC", "JAX: threads"),
    ("THEANO*", "Theano: its flags and its configuration file"),
    ("ONEDNN_*", "oneDNN: instruction sets, caches, verbose output"),
    ("DNNL_*", "oneDNN under its earlier name"),
    ("MKL_*", "Intel MKL: threads, instruction sets"),
    ("OPENBLAS_*", "OpenBLAS: threads, kernels"),
    ("GOTO_*", "OpenBLAS under an earlier name"),
    ("BLIS_*", "BLIS: threads, kernels"),
    ("VECLIB_*", "Apple's Accelerate: threads"),
    ("NUMEXPR_*", "NumExpr: threads"),
    ("NPY_*", "NumPy: instruction sets"),
    ("NUMPY_MADVISE_HUGEPAGE", "NumPy: huge pages"),
    ("OMP_*", "OpenMP: threads, their binding, spinning or sleeping"),
    ("GOMP_*", "GNU's OpenMP"),
    ("KMP_*", "Intel's and LLVM's OpenMP"),
    ("CUDA_*", "CUDA: lazy loading, synchronous launches, connections"),
    ("CUBLAS*", "cuBLAS: the workspace"),
    ("CUDNN_*", "cuDNN: logging"),
    ("NVIDIA_TF32_OVERRIDE", "NVIDIA's libraries: TF32"),
    ("MIOPEN_*", "AMD's MIOpen: the choice of kernels"),
    ("HSA_*", "AMD's runtime for GPUs"),
    ("MALLOC_*", "the allocators of glibc and jemalloc"),
    ("GLIBC_TUNABLES", "glibc: the allocator, huge pages, instruction sets"),
    ("TCMALLOC_*", "tcmalloc"),
    ("MIMALLOC_*", "mimalloc"),
    ("THP_*", "PyTorch: transparent huge pages"),
    ("LD_PRELOAD", "any library in place of another one, such as an allocator"),
    ("DYLD_INSERT_LIBRARIES", "the same on macOS"),
    ("PYTHONMALLOC*", "Python: its allocator and statistics of it"),
    ("PYTHONOPTIMIZE", "Python: assertions"),
    ("PYTHONDEVMODE", "Python: checks at run time"),
    ("PYTHONTRACEMALLOC", "Python: tracing of allocations"),
    ("PYTHON_GIL", "Python: the global interpreter lock"),
    ("PYTHON_JIT", "Python: the compiler"),
    ("PYTHON*PERF*", "Python: the trampoline of perf"),
)
"""Patterns of names, each with what reads the variable."""

LEAVE_SPEED: Tuple[Tuple[str, str], ...] = (
    ("CUDA_VISIBLE_DEVICES", "selects devices"),
    ("CUDA_DEVICE_ORDER", "selects devices"),
    ("CUDA_MPS_*", "finds NVIDIA's multi-process service"),
    ("*_VERSION", "says what an image contains; the versions themselves are recorded"),
    ("CUDA_HOME", "finds libraries"),
    ("CUDA_PATH", "finds libraries"),
    ("CUDA_ROOT", "finds libraries"),
    ("CUDA_BIN_PATH", "finds libraries"),
    ("CUDA_TOOLKIT_ROOT_DIR", "finds libraries"),
    ("CUDNN_PATH", "finds libraries"),
    ("CUDNN_HOME", "finds libraries"),
    ("PYTORCH_HOME", "finds libraries"),
    ("PYTORCH_BUILD_*", "says what an image contains"),
    ("TORCH_CUDA_ARCH_LIST", "what extensions are built for"),
    ("CUDA_CACHE_PATH", "finds a cache"),
    ("JAX_PLATFORM*", "selects devices"),
    ("XLA_PYTHON_CLIENT_PREALLOCATE", "whether JAX takes most of a GPU's memory at once"),
    ("KERAS_HOME", "finds models and data"),
    ("KERAS_BACKEND", "selects the framework"),
    ("TORCH_HOME", "finds models and data"),
    ("TORCH_EXTENSIONS_DIR", "finds libraries"),
    ("TORCHINDUCTOR_CACHE_DIR", "finds a cache; the suite uses one of its own"),
    ("TRITON_CACHE_DIR", "finds a cache; the suite uses one of its own"),
    ("PYTORCH_KERNEL_CACHE_PATH", "finds a cache"),
    ("KMP_DUPLICATE_LIB_OK", "lets a process that has loaded OpenMP twice run at all"),
    ("TF_CONFIG", "finds the other processes of a cluster"),
    ("TF_CPP_*", "what TensorFlow logs"),
    ("TF_FORCE_GPU_ALLOW_GROWTH", "whether TensorFlow takes a GPU's whole memory at once"),
    ("TF_VAR_*", "Terraform, with secrets"),
    ("TF_TOKEN_*", "Terraform, with secrets"),
    ("TF_CLI_*", "Terraform"),
    ("TF_CLOUD_*", "Terraform"),
    ("TF_LOG*", "Terraform"),
    ("TF_WORKSPACE", "Terraform"),
    ("TF_DATA_DIR", "Terraform"),
    ("TF_INPUT", "Terraform"),
    ("TF_IN_AUTOMATION", "Terraform"),
    ("TF_PLUGIN_CACHE_*", "Terraform"),
    ("TF_REGISTRY_*", "Terraform"),
)
"""Exceptions to these patterns, each with its reason."""


def changes_speed(name: str) -> bool:
    """Return whether the variable of that name changes how fast steps run."""
    return _matches(name, CHANGE_SPEED) and not _matches(name, LEAVE_SPEED)


def speed_variables(environment: Mapping[str, str]) -> Dict[str, str]:
    """Return the variables of an environment that change speed, in the order of their names, as valid Unicode."""
    return {as_unicode(name): as_unicode(environment[name]) for name in sorted(environment) if changes_speed(name)}


def without_speed_variables(environment: Mapping[str, str]) -> Dict[str, str]:
    """Return the other variables of an environment."""
    return {name: value for name, value in environment.items() if not changes_speed(name)}


def _matches(name: str, patterns: Tuple[Tuple[str, str], ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern, _ in patterns)


def as_unicode(text: str) -> str:
    """Return the text with escapes in the place of bytes that are no UTF-8, which JSON cannot hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
