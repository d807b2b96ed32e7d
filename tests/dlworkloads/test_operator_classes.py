"""The class of an operator follows from its name, for the names that frameworks and CUDA's libraries really give."""

# ruff: noqa: E501 - names of kernels are long.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlworkloads.operator_classes import class_of
from pytest_throughput.measurement.kernel import KINDS

NAMES = {
    "convolution": """
        aten::mkldnn_convolution
        aten::convolution_backward
        aten::_slow_conv2d_forward
        aten::cudnn_convolution
        aten::_conv_depthwise2d
        Conv2D
        _FusedConv2D
        _MklNativeFusedConv2D
        _MklNativePadWithFusedConv2D
        Conv2DBackpropFilter
        DepthwiseConv2dNative
        convolution
        conv_general_dilated
        __onednn$convolution
        cudnn-conv-bias-activation
        __cudnn$convForward
        Conv
        FusedConv
        ConvTranspose
        NhwcFusedConv
        Convolution
        GroupConvolution
        Convolution brgconv_avx512_1x1_FP32
        sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x128x16_stage4_warpsize2x2x1_g1_kernel__5x_cudnn
        sm90_xmma_dgrad_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc_tilesize128x128x64_warpgroupsize1x1x1_execute_kernel__5x_cudnn
        cutlass__5x_cudnn::Kernel<cutlass_tensorop_s1688wgrad_optimized_tf32_128x128_16x4_nhwc_align4>
        void cudnn::winograd_nonfused::winogradForwardData4x4<float, float>(cudnn::winograd_nonfused::WinogradDataParams<float, float>)
        implicit_convolve_sgemm
        void implicit_convolve_sgemm<float, float, 128, 5, 5, 3, 3, 3, 1, true, false, true>(int, int, int, float const*)
        maxwell_scudnn_winograd_128x128_ldg1_ldg4_tile148n_nt_v1
        void cudnn::cnn::im2col4d_kernel<float, long>(cudnn::cnn::im2col4d_params)
        void fft2d_r2c_32x32<float, false, 1u, false>(float2*, float const*, int)
    """,
    "matrix product": """
        aten::addmm
        aten::mm
        aten::bmm
        aten::linear
        aten::matmul
        aten::_scaled_dot_product_flash_attention_for_cpu
        MatMul
        _FusedMatMul
        _MklNativeFusedMatMul
        BatchMatMulV2
        Einsum
        dot
        dot_general
        gemm_fusion_dot
        __cublas$gemm
        __onednn$matmul
        Gemm
        FusedMatMul
        FullyConnected brgemm_avx512_FP32
        ampere_sgemm_128x64_nn
        maxwell_sgemm_128x64_raggedMn_nt
        volta_sgemm_32x128_tn
        void gemmSN_NN_kernel<float, 128, 2, 4, 8, 2, 4, false>(cublasGemmSmallNParams<float>)
        void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x128_16x5_nn_align4>(cutlass_80_tensorop_s1688gemm::Params)
        nvjet_tst_128x64_64x8_2x1_v_bz_TNT
        void cublasLt::splitKreduce_kernel<32, 16, int, float, float, float, float, true, false, false>()
        void gemv2T_kernel_val<int, int, float, float, float, 128, 16, 4, 4, false, false>(float, float)
        void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<64, 128, 128, 4>>()
        triton_tem_fused_mm_3
    """,
    "normalisation": """
        aten::native_batch_norm
        aten::native_batch_norm_backward
        aten::cudnn_batch_norm
        aten::native_layer_norm
        FusedBatchNormV3
        FusedBatchNormGradV3
        _FusedBatchNormEx
        LRN
        LRNGrad
        BatchNormalization
        LayerNormalization
        SkipLayerNormalization
        MVN
        void cudnn::bn_fw_tr_1C11_kernel_NCHW<float, float, int, 512, true, 1, true>(cudnnTensorStruct)
        void cudnn::batchnorm_bwtr_nhwc_semiPersist<__half, float>()
        void at::native::batch_norm_collect_statistics_kernel<at::native::InvStd, float, float, float, int>()
        void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float, false>(int, float)
        triton_red_fused__native_batch_norm_legit_functional_relu_2
    """,
    "pooling": """
        aten::max_pool2d_with_indices
        aten::max_pool2d_with_indices_backward
        aten::avg_pool2d
        aten::_adaptive_avg_pool2d
        MaxPool
        MaxPoolGrad
        _MklNativeMaxPool
        AvgPool
        GlobalAveragePool
        reduce-window
        wrapped_reduce-window
        select-and-scatter
        void at::native::(anonymous namespace)::max_pool_forward_nchw<float, float>(int, float const*)
        void cudnn::pooling_fw_4d_kernel<float, float, cudnn::maxpooling_func<float, (cudnnNanPropagation_t)0>, 0>()
        triton_poi_fused_max_pool2d_with_indices_4
    """,
    "element-wise": """
        aten::relu_
        aten::add_
        aten::clamp_min_
        aten::threshold_backward
        aten::gelu
        aten::mul
        aten::native_dropout
        BiasAdd
        BiasAddV1
        BiasAddGrad
        Relu
        ReluGrad
        AddV2
        Mul
        RealDiv
        SquaredDifference
        Rsqrt
        Maximum
        _FusedRelu
        multiply_add_fusion
        broadcast_maximum_fusion
        maximum_pad_fusion
        loop_add_fusion
        add_rsqrt_fusion
        Add
        Sigmoid
        Eltwise jit_avx512_FP32
        Subgraph jit_avx512_FP32
        void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>>(int)
        void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::launch_clamp_scalar()>(int)
        void at::native::(anonymous namespace)::multi_tensor_apply_kernel<at::native::(anonymous namespace)::TensorListMetadata<1>>()
        triton_poi_fused_convolution_relu_1
    """,
    "copy": """
        aten::copy_
        aten::_to_copy
        aten::cat
        aten::clone
        Memcpy HtoD (Pageable -> Device)
        Memcpy DtoD (Device -> Device)
        Memset (Device)
        Transpose
        ConcatV2
        PadV2
        Pad
        Cast
        Reshape
        transpose_copy_fusion
        concatenate_bitcast_fusion
        wrapped_broadcast
        copy
        Reorder
        ReorderInput
        Reorder jit_uni_FP32
        Concat
        void cudnn::ops::nchwToNhwcKernel<float, float, float, false, true, (cudnnKernelDataType_t)2>()
        void cudnn::ops::nhwcToNchwKernel<__half, __half, float, true, false, (cudnnKernelDataType_t)0>()
        void cudnn::ops::nchwAddPaddingKernel<__half, __half, float, true, (cudnnKernelDataType_t)0>()
        void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, unsigned int, 4, 64, 64>(float*)
        void at::native::elementwise_kernel<128, 4, at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)>(int)
    """,
    "other": """
        aten::sum
        aten::mean
        aten::_log_softmax
        aten::nll_loss_forward
        aten::empty
        aten::view
        aten::as_strided
        autograd::engine::evaluate_function: ConvolutionBackward0
        Torch-Compiled Region: 0/0
        ReadVariableOp
        Mean
        Sum
        Softmax
        SparseSoftmaxCrossEntropyWithLogits
        ArgMax
        ReduceMax
        aten::upsample_bilinear2d
        wrapped_iota
        wrapped_reduce
        multiply_reduce_fusion
        ynn_fusion
        RandomUniform
        void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::sum_functor<float, float, float>>>()
        void (anonymous namespace)::softmax_warp_forward<float, float, float, 10, true, false>(float*, float const*, int)
    """,
}
ROWS = [
    pytest.param(name.strip(), kind, id=f"{kind}-{name.strip()[:60]}")
    for kind, names in NAMES.items()
    for name in names.strip().splitlines()
]


@pytest.mark.parametrize(("name", "kind"), ROWS)
def test_the_name_of_an_operator_gives_its_class(name: str, kind: str) -> None:
    assert class_of(name) == kind


@given(st.text(max_size=50))
def test_every_name_has_one_of_the_classes(name: str) -> None:
    assert class_of(name) in KINDS
